/** `gc`: give disk back, after naming what goes and how large it is. */
import { isSafeCoderError, SafeCoderError, toSafeCoderError } from '../../base/errors.ts';
import { showPath } from '../../base/path-bytes.ts';
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { parseDuration, showSize } from '../../config/quantities.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { type GcItem, type GcOptions, performGc, planGc } from '../../session/gc.ts';
import { confirm } from '../confirm.ts';
import { type CommonFlags, type Context, createContext, withSignals } from '../context.ts';

interface GcFlags extends CommonFlags {
  olderThan?: string;
  keep?: number;
  undo?: boolean;
  dryRun?: boolean;
  yes?: boolean;
}

const WORDS: Record<GcItem['kind'], string> = {
  session: 'delete session',
  undo: 'forget undo of',
  ledger: 'pack ledger of',
  run: 'remove',
  cache: 'remove',
  leftover: 'remove',
};

export async function gc(flags: GcFlags): Promise<void> {
  const context = createContext(flags);
  const options = toOptions(context, flags);
  const items = planGc(options);
  for (const item of items) tell(context, item, { type: 'gc.item' });
  if (items.length === 0 && !context.json) context.err.write('There is nothing to give back.\n');
  if (items.length === 0 || flags.dryRun) return;
  const goes = items.filter(({ kind }) => kind === 'session' || kind === 'undo').length;
  const question = goes > 0 ? `Do this? What ${goes} of these lines delete can't be had back.` : 'Do this?';
  if (!(await confirm(context, question, flags.yes === true))) return;
  await withSignals(async (signal) => {
    let freed = 0;
    for (const item of items) {
      signal.throwIfAborted();
      freed += await perform(context, item, options, signal);
    }
    if (context.json) context.out.write(`${toInertJson({ ...row('gc.end'), freedBytes: freed })}\n`);
    else context.err.write(`✓ ${showSize(freed)} given back.\n`);
  });
}

/** One that can't be done, most often because somebody began to use it, stops none of the others. */
async function perform(
  context: Context,
  item: GcItem,
  options: GcOptions,
  signal: AbortSignal,
): Promise<number> {
  try {
    const freedBytes = await performGc(item, options, signal);
    if (context.json) tell(context, item, { type: 'gc.done', freedBytes });
    return freedBytes;
  } catch (error) {
    if (signal.aborted || isSafeCoderError(error, 'bug')) throw error;
    const { code, message } = toSafeCoderError(error);
    if (context.json) tell(context, item, { type: 'gc.failed', code, message });
    else context.err.write(`! ${nameOf(item)} stays as it is: ${escapeForTerminal(message)}\n`);
    return 0;
  }
}

function toOptions(context: Context, flags: GcFlags): GcOptions {
  const { state, cache } = context.directories;
  const olderThanMs = parseAge(flags.olderThan);
  if (flags.undo && olderThanMs === undefined && flags.keep === undefined) {
    throw new SafeCoderError('usage/bad-argument', '--undo needs --older-than or --keep.', {
      hint: 'For all that is not running: safe-coder gc --undo --keep 0',
    });
  }
  return {
    state,
    cache,
    now: Date.now(),
    ...(olderThanMs === undefined ? {} : { olderThanMs }),
    ...(flags.keep === undefined ? {} : { keep: flags.keep }),
    ...(flags.undo ? { onlyUndo: true } : {}),
  };
}

/** Throws `usage/bad-argument` for what is no duration. */
export function parseAge(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const age = parseDuration(text);
  if (age !== undefined) return age;
  throw new SafeCoderError('usage/bad-argument', `--older-than ${text} is no duration.`, {
    hint: 'Write it as 30d or 12h.',
  });
}

function tell(context: Context, item: GcItem, more: { type: string } & Record<string, unknown>): void {
  const { kind, path, bytes, title, session } = item;
  if (context.json) {
    const about = { kind, path, bytes, title, ...more };
    context.out.write(`${toInertJson({ ...row(more.type, session?.record.id), ...about })}\n`);
  } else context.out.write(`  ${showSize(bytes).padStart(8)}  ${WORDS[kind]} ${nameOf(item)}\n`);
}

function nameOf({ session, path, title }: GcItem): string {
  if (session === undefined) return `${showPath(path)} (${title})`;
  const about = escapeForTerminal(session.record.title.replace(/\s+/g, ' ')).slice(0, 50);
  return `${session.record.id.slice(0, 8)}  ${session.record.createdAt.slice(0, 10)}  ${about}`;
}

function row(type: string, session: string | null = null): Record<string, unknown> {
  return { type, at: new Date().toISOString(), session };
}
