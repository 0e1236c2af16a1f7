/**
 * Every failure that a person may see is a {@link SafeCoderError}: a code from one table, what happened, to
 * what, and what to do next. Nobody tests a message; everybody may test a code.
 */

/** Process exit codes, as docs and scripts rely on them. */
export const EXIT = {
  done: 0,
  unsuccessful: 1,
  usage: 2,
  config: 3,
  environment: 4,
  denied: 5,
  conflict: 6,
  guest: 7,
  provider: 8,
  bug: 70,
  cancelled: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** The one table of codes. The kind, and with it the exit code, comes from here and nowhere else. */
const CODES = {
  'session/unsuccessful': 'unsuccessful',
  'session/not-found': 'usage',
  'session/damaged': 'environment',
  'session/busy': 'environment',
  'session/in-the-way': 'conflict',
  'session/not-restored': 'guest',
  'session/project-gone': 'environment',
  'usage/bad-argument': 'usage',
  'usage/no-such-path': 'usage',
  'usage/not-a-directory': 'usage',
  'config/invalid': 'config',
  'config/not-allowed': 'config',
  'config/no-model': 'config',
  'config/no-key': 'config',
  'environment/tool-missing': 'environment',
  'environment/tool-failed': 'environment',
  'environment/disk-full': 'environment',
  'environment/unsafe-state-dir': 'environment',
  'backend/unavailable': 'environment',
  'backend/boot-failed': 'environment',
  'backend/not-isolated': 'environment',
  'image/build-failed': 'environment',
  'workspace/too-large': 'usage',
  'workspace/unsafe-root': 'usage',
  'workspace/unreadable': 'environment',
  'policy/denied': 'denied',
  'apply/host-changed': 'conflict',
  'apply/refused': 'denied',
  'apply/busy': 'conflict',
  'apply/blocked': 'environment',
  'apply/failed': 'environment',
  'apply/nothing-to-undo': 'usage',
  'ledger/write-failed': 'environment',
  'ledger/damaged': 'environment',
  'ledger/busy': 'environment',
  'ledger/full': 'environment',
  'ledger/no-such-entry': 'usage',
  'guest/bad-frame': 'guest',
  'guest/version': 'guest',
  'guest/lost': 'guest',
  'guest/timeout': 'guest',
  'guest/failed': 'guest',
  'guest/limit': 'guest',
  'provider/auth': 'provider',
  'provider/rejected': 'provider',
  'provider/overloaded': 'provider',
  'provider/unreachable': 'provider',
  'provider/stalled': 'provider',
  'provider/bad-response': 'provider',
  'provider/context-overflow': 'provider',
  'replay/mismatch': 'provider',
  cancelled: 'cancelled',
  bug: 'bug',
} as const satisfies Record<string, keyof typeof EXIT>;

export type ErrorCode = keyof typeof CODES;

export interface ErrorInit {
  /** What to do next: a command, a flag, a file to change. */
  hint?: string;
  /** Facts for `--json` and logs. Never a secret. */
  details?: Record<string, unknown>;
  cause?: unknown;
}

export class SafeCoderError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, init: ErrorInit = {}) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'SafeCoderError';
    this.code = code;
    this.hint = init.hint;
    this.details = init.details;
  }

  get exitCode(): ExitCode {
    return EXIT[CODES[this.code]];
  }
}

/** The exit code that belongs to a code; undefined for a word that is none. */
export function exitCodeOfCode(code: string): ExitCode | undefined {
  return Object.hasOwn(CODES, code) ? EXIT[CODES[code as ErrorCode]] : undefined;
}

/** True for a SafeCoderError, of the given code when one is given. */
export function isSafeCoderError(error: unknown, code?: ErrorCode): error is SafeCoderError {
  return error instanceof SafeCoderError && (code === undefined || error.code === code);
}

/** Any thrown value as a SafeCoderError; what nobody foresaw becomes `bug`. */
export function toSafeCoderError(error: unknown): SafeCoderError {
  if (error instanceof SafeCoderError) return error;
  // A clean-up failed after the work had: the work's own failure is what there is to tell.
  if (error instanceof Error && 'suppressed' in error) return toSafeCoderError(error.suppressed);
  if (isDiskFull(error)) {
    const where = error instanceof Error && 'path' in error ? ` to write ${String(error.path)}` : '';
    return new SafeCoderError('environment/disk-full', `No room left${where}.`, {
      cause: error,
      hint: 'Free some space or raise the quota, then try again.',
    });
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return new SafeCoderError('cancelled', 'Cancelled.', { cause: error });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new SafeCoderError('bug', `Unexpected error: ${message}`, {
    cause: error,
    hint: 'This is a bug in Safe Coder. Run again with SAFE_CODER_LOG=debug and report it.',
  });
}

/** Whether the system refused to write because a disk, or this user's share of it, is full. */
function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '');
}

/** The errno name of a Node system error (`ENOENT`), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
