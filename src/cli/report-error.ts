/** How a failure reaches the person or the script that ran us. */
import type { SafeCoderError } from '../base/errors.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';

export function reportError(
  error: SafeCoderError,
  options: { json: boolean; environment: Record<string, string | undefined> },
): void {
  if (options.json) {
    const line = {
      type: 'error',
      at: new Date().toISOString(),
      session: null,
      code: error.code,
      message: error.message,
      hint: error.hint,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  process.stderr.write(`safe-coder: ${escapeForTerminal(error.message)}\n`);
  if (error.hint) process.stderr.write(`  ${escapeForTerminal(error.hint).replaceAll('\n', '\n  ')}\n`);
  if (options.environment.SAFE_CODER_LOG === 'debug') {
    process.stderr.write(`${escapeForTerminal(String(error.stack))}\n`);
    for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
      process.stderr.write(`caused by ${escapeForTerminal(String(cause.stack))}\n`);
    }
  }
}
