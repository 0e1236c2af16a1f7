/** Yes-or-no questions. Without a terminal nobody can answer, and nothing is assumed. */
import { createInterface } from 'node:readline';
import { SafeCoderError } from '../base/errors.ts';
import type { Context } from './context.ts';

/**
 * True for yes. `isYes` answers without asking. Throws `usage/bad-argument` when there is no terminal to ask on.
 * Keys typed before the question was shown don't answer it.
 */
export async function confirm(context: Context, question: string, isYes: boolean): Promise<boolean> {
  if (isYes) return true;
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new SafeCoderError('usage/bad-argument', `${question} There is no terminal to answer on.`, {
      hint: 'Say yes with --yes.',
    });
  }
  await drainInput();
  const answer = await ask(`${question} [y/N] `, context);
  return /^y(es)?$/i.test(answer.trim());
}

/** One line from the terminal; empty at its end. */
export function ask(prompt: string, context: Pick<Context, 'err'>): Promise<string> {
  context.err.write(prompt);
  const lines = createInterface({ input: process.stdin, terminal: false });
  return new Promise((resolve) => {
    lines.once('line', (line) => {
      resolve(line);
      lines.close();
    });
    lines.once('close', () => {
      process.stdin.pause();
      resolve('');
    });
  });
}

/** Throws away what was typed already: a queued key must not answer a question that nobody has seen. */
async function drainInput(): Promise<void> {
  process.stdin.resume();
  await new Promise((resolve) => setTimeout(resolve, 50));
  while (process.stdin.read() !== null) {
    // Each read empties what is buffered.
  }
  process.stdin.pause();
}
