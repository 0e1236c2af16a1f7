import { SafeCoderError } from '../base/errors.ts';

/** The one error for whatever breaks the protocol; the sandbox that sent it is ended. */
export function badFrame(what: string): SafeCoderError {
  return new SafeCoderError('guest/bad-frame', `The guest broke the protocol: ${what}.`, {
    hint: 'The sandbox was ended. Start a new session; if it happens again, report it.',
  });
}
