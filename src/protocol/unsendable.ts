import { SafeCoderError } from '../base/errors.ts';

const ERRNO = { ENOENT: 2, E2BIG: 7, EINVAL: 22, ENAMETOOLONG: 36 } as const;

/**
 * What can't be put on the wire can't be asked of any kernel either: it fails as the guest would fail it, so that callers
 * (and models, who choose such paths) need to know one kind of failure only.
 */
export function unsendable(errnoName: keyof typeof ERRNO, what: string): SafeCoderError {
  return new SafeCoderError('guest/failed', `The guest can not be asked for this: ${what} (${errnoName}).`, {
    details: { errno: ERRNO[errnoName], errnoName },
  });
}
