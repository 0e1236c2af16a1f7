/** The read tool: a file's lines, a directory's entries, or a picture. */
import { createHash } from 'node:crypto';
import { showPath } from '../base/path-bytes.ts';
import { escapeForTerminal, hasHiddenCharacters } from '../base/terminal-text.ts';
import type { GuestStat } from '../guest/guest.ts';
import { cutLine } from './budget.ts';
import { defineTool, refuse } from './define-tool.ts';
import { binaryTypeOf, imageTypeOf } from './file-type.ts';
import { explainGuestFailure } from './guest-failure.ts';
import { readInterface } from './interface/read.ts';
import { LIMITS } from './limits.ts';
import { decodeTextFile, splitLines, type TextFile } from './text-file.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';
import type { ToolState } from './tool-state.ts';
import { type Located, locate, refuseMissing } from './workspace-path.ts';

interface Window {
  offset?: number | undefined;
  limit?: number | undefined;
}

export function createReadTool(state: ToolState): Tool {
  return defineTool(readInterface, async (input, context) => {
    const located = await locate(context.sandbox, input.path, { alsoIn: state.scratch?.at.folder });
    if (located.stat === undefined) throw await refuseMissing(context.sandbox, located);
    if (located.stat.kind === 'directory') return await listDirectory(context, located);
    const bytes = await readWhole(context, located, located.stat);
    state.reads.set(located.path, { sha256: sha256Of(bytes), mtimeNs: located.stat.mtimeNs });
    const imageType = imageTypeOf(bytes);
    if (imageType !== undefined) return showImage(located, imageType, bytes);
    return showText(located, bytes, input);
  });
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The whole of a regular file of bearable size; refuses anything else. */
export async function readWhole(context: ToolContext, located: Located, stat: GuestStat): Promise<Buffer> {
  if (stat.kind !== 'file') throw refuse(`${located.shown} is no regular file (${stat.kind}).`);
  const hint =
    'Use bash on a part of it: `sed -n 1,200p`, `head -c`, `tail`, or search it with the grep tool.';
  const tooLarge = `${located.shown} is ${showSize(stat.size)}, more than this tool takes (${showSize(LIMITS.textFileBytes)}).`;
  if (stat.size > LIMITS.textFileBytes) throw refuse(tooLarge, hint);
  try {
    const { bytes } = await context.sandbox.read(
      located.path,
      { maxBytes: LIMITS.textFileBytes + 1 },
      context.signal,
    );
    if (bytes.length > LIMITS.textFileBytes) throw refuse(tooLarge, hint);
    return bytes;
  } catch (error) {
    throw explainGuestFailure(error, `Can't read ${located.shown}`);
  }
}

/** A size for people and models. */
function showSize(bytes: number): string {
  if (bytes < 10_000) return `${bytes} bytes`;
  if (bytes < 10_000_000) return `${Math.round(bytes / 1000)} KB`;
  return `${Math.round(bytes / 1_000_000)} MB`;
}

/** Refuses what can't be shown or edited as text. */
export function decodeOrRefuse(located: Located, bytes: Buffer): TextFile {
  const binary = binaryTypeOf(bytes);
  if (binary !== undefined) {
    throw refuse(`${located.shown} is binary: ${binary}, ${showSize(bytes.length)}.`, binaryHint(binary));
  }
  if (bytes.length > LIMITS.looseTextFileBytes && !isUtf8(bytes)) {
    throw refuse(
      `${located.shown} (${showSize(bytes.length)}) is not UTF-8 text.`,
      'Convert it with `iconv` in bash, or look at parts of it there.',
    );
  }
  return decodeTextFile(bytes);
}

function binaryHint(binary: string): string {
  if (binary === 'UTF-16 text') return 'Convert it with `iconv -f UTF-16 -t UTF-8` in bash.';
  return 'Look into it with a program for that kind of file in bash.';
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    // Being no UTF-8 is the answer.
    return false;
  }
}

async function listDirectory(context: ToolContext, located: Located): Promise<ToolResult> {
  const { entries, truncated } = await list(context, located);
  const names = entries
    .map(({ name, stat }) => `${showPath(name)}${stat.kind === 'directory' ? '/' : ''}`)
    .sort((a, b) => (a < b ? -1 : 1));
  const count = names.length === 1 ? '1 entry' : `${names.length} entries`;
  const footer = truncated
    ? `(the first ${names.length} entries; use glob to find others)`
    : names.length === 0
      ? '(the directory is empty)'
      : `(${count})`;
  return { ok: true, text: [...names, footer].join('\n'), meta: { entries: names.length, truncated } };
}

async function list(context: ToolContext, located: Located) {
  try {
    return await context.sandbox.list(located.path, LIMITS.directoryEntries);
  } catch (error) {
    throw explainGuestFailure(error, `Can't list ${located.shown}`);
  }
}

function showImage(located: Located, mediaType: string, bytes: Buffer): ToolResult {
  if (bytes.length > LIMITS.imageBytes) {
    throw refuse(
      `${located.shown} is a picture (${mediaType}) of ${showSize(bytes.length)}, more than a model takes (${showSize(LIMITS.imageBytes)}).`,
      'Make it smaller with bash first.',
    );
  }
  return {
    ok: true,
    text: `${located.shown}: ${mediaType}, ${showSize(bytes.length)}.`,
    images: [{ mediaType, base64: bytes.toString('base64') }],
    meta: { bytes: bytes.length },
  };
}

function showText(located: Located, bytes: Buffer, window: Window): ToolResult {
  const file = decodeOrRefuse(located, bytes);
  const lines = splitLines(file.text);
  if (bytes.length === 0)
    return { ok: true, text: `(${located.shown} is empty)`, meta: { bytes: 0, lines: 0 } };
  const first = window.offset ?? 1;
  if (first > Math.max(1, lines.length)) {
    throw refuse(
      `offset=${first} is past the end: ${located.shown} has ${lines.length} lines.`,
      `Use an offset from 1 to ${lines.length}.`,
    );
  }
  const part = takeLines(lines, first, window.limit ?? LIMITS.resultLines);
  const notes = describeFile(file, part.hidden);
  if (part.last < lines.length || first > 1) notes.unshift(describeWindow(first, part.last, lines.length));
  return {
    ok: true,
    text: [...part.shown, ...notes].join('\n'),
    meta: { bytes: bytes.length, lines: lines.length, truncated: part.last < lines.length },
  };
}

/** Numbered lines from `first`, at most `limit` and never more than the budget, and which of them held hidden characters. */
function takeLines(lines: string[], first: number, limit: number) {
  const shown: string[] = [];
  const hidden: number[] = [];
  let bytes = 0;
  let last = first - 1;
  for (const line of lines.slice(first - 1, first - 1 + limit)) {
    const text = `${last + 1}\t${cutLine(escapeForTerminal(line, { keepNewlines: false }))}`;
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > LIMITS.resultBytes) break;
    last += 1;
    shown.push(text);
    if (hasHiddenCharacters(line)) hidden.push(last);
  }
  return { shown, hidden, last };
}

function describeWindow(first: number, last: number, total: number): string {
  const more = last < total ? `; continue with offset=${last + 1}` : '';
  return `(lines ${first}-${last} of ${total}${more})`;
}

function describeFile(file: TextFile, hidden: number[]): string[] {
  const notes: string[] = [];
  if (file.hasCrlf) notes.push('(line ends are CRLF; write and edit keep them)');
  if (hidden.length > 0) {
    const where = hidden.slice(0, 10).join(', ') + (hidden.length > 10 ? ', …' : '');
    notes.push(
      `(control or invisible characters, shown as \\x1b or <U+202E>, in line${hidden.length > 1 ? 's' : ''} ${where})`,
    );
  }
  if (!file.isUtf8)
    notes.push('(not all of it is UTF-8: other bytes are shown as \\xff, and are kept by edit)');
  return notes;
}
