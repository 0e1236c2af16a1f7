/** What is kept of an apply or an undo once the project is written. */
import { toSafeCoderError } from '../base/errors.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';
import { toInertJson } from '../headless/json-lines.ts';
import type { Context } from './context.ts';

/**
 * Runs `work`; its failure is a warning, as the project was written whatever the session can keep of it. What landed is then
 * shown as there already, until it can be kept.
 */
export async function afterWriting(
  context: Context,
  session: string,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const message = `The project was written, but the session could not be told: ${toSafeCoderError(error).message}`;
    if (context.json) {
      const at = new Date().toISOString();
      context.out.write(
        `${toInertJson({ type: 'warning', at, session, code: 'session/not-told', message })}\n`,
      );
    } else context.err.write(`${context.err.style.dim('! ')}${escapeForTerminal(message)}\n`);
  }
}
