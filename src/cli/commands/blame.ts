/** `blame`: for each line of a file the entry, the tool call and the prompt that wrote it. */
import { SafeCoderError } from '../../base/errors.ts';
import type { HostPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { type BlamedLine, blameFile } from '../../ledger/blame.ts';
import { readTimeline, type Timeline } from '../../session/timeline.ts';
import { formatBlame } from '../../tui/blame-lines.ts';
import { type CommonFlags, type Context, createContext } from '../context.ts';
import { entryRow } from '../entry-row.ts';
import { parseProjectPath } from '../project-path.ts';
import { openStored } from '../stored-session.ts';

interface BlameFlags extends CommonFlags {
  at?: string;
  lines?: string;
}

/** `blame FILE` or `blame ID FILE`. */
export async function blame(first: string, second: string | undefined, flags: BlameFlags): Promise<void> {
  const context = createContext(flags);
  await using stored = await openStored(context, second === undefined ? undefined : first);
  const { ledger, session } = stored;
  const path = parseProjectPath(second ?? first, session.record.project as HostPath);
  const at = flags.at === undefined ? undefined : await ledger.resolve(flags.at);
  const { lines } = await blameFile(ledger, path, at);
  const [from, to] = parseLines(flags.lines, lines.length);
  const shown = lines.slice(from - 1, to);
  const timeline = await readTimeline(session.folder, await ledger.entries());
  if (context.json) printJson(context, session.record.id, { lines: shown, from, timeline });
  else context.out.write(formatBlame({ lines: shown, from, path, steps: timeline.steps }, context.out));
}

/** `10,20`, `10,`, `,20` or `10`, counting from 1. */
function parseLines(text: string | undefined, count: number): [number, number] {
  if (text === undefined) return [1, count];
  const match = /^(\d*)(,?)(\d*)$/.exec(text);
  const from = Number(match?.[1] || 1);
  const to = match?.[2] === ',' ? Number(match[3] || count) : from;
  if (match && text !== '' && text !== ',' && from >= 1 && from <= to && from <= count) return [from, to];
  throw new SafeCoderError('usage/bad-argument', `There are no lines ${text} among ${count}.`, {
    hint: 'Write --lines FROM,TO, counting from 1.',
  });
}

interface Shown {
  lines: readonly BlamedLine[];
  from: number;
  timeline: Timeline;
}

/** The entries that wrote something, each once, then the lines. */
function printJson({ out }: Context, session: string, { lines, from, timeline }: Shown): void {
  const write = (row: Record<string, unknown>) => out.write(`${toInertJson(row)}\n`);
  for (const entry of new Set(lines.map((line) => line.entry))) {
    const step = entry && timeline.steps.get(entry.id);
    if (step) write({ ...entryRow(session, step), ...(step.turn && { prompt: step.turn.prompt }) });
  }
  const at = new Date().toISOString();
  for (const [index, { text, entry, path, line }] of lines.entries()) {
    write({
      type: 'blame.line',
      at,
      session,
      line: from + index,
      ...toText(text),
      entry: entry?.id ?? null,
      seq: entry?.trailers.seq ?? null,
      was: { path, line },
    });
  }
}

/** Bytes as text with its line end; in base 64 where they are not UTF-8. */
function toText(latin1: string): { text: string } | { base64: string } {
  const bytes = Buffer.from(latin1, 'latin1');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? { text } : { base64: bytes.toString('base64') };
}
