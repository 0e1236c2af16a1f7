/** `resume` and `fork`: go on with a stored session, or from any entry of one. */
import { SafeCoderError } from '../../base/errors.ts';
import type { StoredSession } from '../../session/store.ts';
import type { CommonFlags, Context } from '../context.ts';
import { continueSession } from '../continue-session.ts';
import { fork as forkSession } from '../fork-session.ts';
import { startChat } from './chat.ts';
import { runTask } from './run.ts';

export interface ResumeFlags extends CommonFlags {
  prompt?: string;
  apply: 'none' | 'safe' | 'all';
  record?: string;
  session?: string;
}

export async function resume(id: string | undefined, flags: ResumeFlags): Promise<void> {
  const { context, stored } = continueSession(id, flags);
  requirePersonOrPrompt(context, flags, `safe-coder resume ${stored.record.id.slice(0, 8)} --prompt "TASK"`);
  await goOn(context, stored, flags);
}

/** Without a terminal and a prompt, the fork is made and waits. */
export async function fork(entry: string, flags: ResumeFlags): Promise<void> {
  const { context, stored } = continueSession(flags.session, flags);
  const { session } = await forkSession(context, stored, entry);
  if (flags.prompt === undefined && !hasPerson(context)) {
    if (!context.json) context.err.write(`To go on: safe-coder resume ${session.record.id.slice(0, 8)}\n`);
    return;
  }
  await goOn(context, session, flags);
}

function goOn(context: Context, stored: StoredSession, flags: ResumeFlags): Promise<void> {
  if (flags.prompt !== undefined) return runTask(context, flags.prompt, flags, stored);
  return startChat(context, flags, stored);
}

function hasPerson(context: Context): boolean {
  return !context.json && process.stdin.isTTY === true && process.stdout.isTTY === true;
}

function requirePersonOrPrompt(context: Context, { prompt }: ResumeFlags, hint: string): void {
  if (prompt !== undefined || hasPerson(context)) return;
  throw new SafeCoderError('usage/bad-argument', 'There is nobody to chat with, and no task.', { hint });
}
