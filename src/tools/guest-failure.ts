/** What a failed file verb means, in words for the model. */
import { isSafeCoderError, type SafeCoderError } from '../base/errors.ts';
import { refuse } from './define-tool.ts';

/** The errno name of a `guest/failed`, or undefined for anything else. */
export function guestErrno(error: unknown): string | undefined {
  if (!isSafeCoderError(error, 'guest/failed')) return undefined;
  const name = error.details?.errnoName;
  return typeof name === 'string' ? name : undefined;
}

const MEANINGS: Record<string, string> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of the path is not a directory',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  ENOSPC: 'No space left on device: the disk of the sandbox is full',
  EDQUOT: 'the disk quota of the sandbox is used up',
  EFBIG: 'the file is too large',
  EROFS: 'the file system is read-only',
  ETXTBSY: 'it is a program that is running',
  EINVAL: 'it is not a regular file',
};

/** A guest's failure as a refusal that says what could not be done; every other error as it is. */
export function explainGuestFailure(error: unknown, act: string): unknown {
  const errno = guestErrno(error);
  if (errno === undefined) return error;
  return failure(`${act}: ${MEANINGS[errno] ?? errno}.`, errno);
}

function failure(message: string, errno: string): SafeCoderError {
  if (errno === 'ENOSPC' || errno === 'EDQUOT')
    return refuse(message, 'Remove files you no longer need with bash, then try again.');
  if (errno === 'EACCES' || errno === 'EPERM')
    return refuse(message, 'Look at the owner and mode with `ls -l` in bash.');
  return refuse(message);
}
