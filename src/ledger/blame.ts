/** Which entry wrote each line of a file. */
import { SafeCoderError } from '../base/errors.ts';
import { isBinary } from '../base/is-binary.ts';
import { type RelPath, showPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import { lineOrigins, NEW_LINE } from '../diff/line-origins.ts';
import { splitLines } from '../diff/lines.ts';
import { type FileStep, fileHistory, type HistorySource } from './file-history.ts';
import type { Entry, LedgerReader } from './ledger.ts';

export interface BlamedLine {
  /** One code unit per byte, with its line feed where it has one. */
  text: string;
  /** The entry that wrote it; undefined for a line of the project's own, from before the session. */
  entry: Entry | undefined;
  /** Where it stood then: the file's name, and the line's number from 1. */
  path: RelPath;
  line: number;
}

export interface Blame {
  path: RelPath;
  /** The entry whose version of the file this is. */
  at: Entry;
  lines: BlamedLine[];
}

export type BlameSource = HistorySource & Pick<LedgerReader, 'readBlob' | 'head'>;

/**
 * The lines of the file at `path` with who wrote them, as of the entry `at` (default: the newest; an id names the newest entry
 * of that tree). Work grows with the entries that touched the file. Throws `usage/no-such-path` when there is no such
 * file, `usage/bad-argument` for one without lines (binary, a symlink), `ledger/damaged`.
 */
export async function blameFile(ledger: BlameSource, path: RelPath, at?: Entry | string): Promise<Blame> {
  const entry = typeof at === 'string' ? await entryOfTree(ledger, at) : (at ?? (await ledger.head()));
  const state = await ledger.fileAt(entry.tree, path);
  if (state === undefined) throw noSuchFile(path, entry);
  const bytes = await readText(ledger, path, state);
  const search = new Search(path, splitLines(bytes));
  let after = bytes;
  for await (const step of fileHistory(ledger, path, entry)) {
    const before = await textBefore(ledger, step);
    search.goBack(step, before === undefined ? undefined : lineOrigins(before, after));
    if (before === undefined || search.isDone) break;
    after = before;
  }
  return { path, at: entry, lines: search.lines };
}

/** A line that nobody is known to have written: its index in the version at hand, and what it came to be. */
interface OpenLine {
  at: number;
  line: BlamedLine;
}

/** Follows lines back from version to version until each has found who wrote it. */
class Search {
  readonly lines: BlamedLine[];
  #open: OpenLine[];

  constructor(path: RelPath, texts: readonly string[]) {
    this.lines = texts.map((text, at) => ({ text, entry: undefined, path, line: at + 1 }));
    this.#open = this.lines.map((line, at) => ({ at, line }));
  }

  get isDone(): boolean {
    return this.#open.length === 0;
  }

  /** Without `origins` the entry wrote all there is. */
  goBack({ entry, path, before }: FileStep, origins: Int32Array | undefined): void {
    const open: OpenLine[] = [];
    for (const { at, line } of this.#open) {
      const origin = origins?.[at] ?? NEW_LINE;
      if (origin === NEW_LINE) Object.assign(line, { entry, path, line: at + 1 });
      else {
        Object.assign(line, { path: before?.path ?? path, line: origin + 1 });
        open.push({ at: origin, line });
      }
    }
    this.#open = open;
  }
}

/** The bytes before a step; undefined where there was no text. */
async function textBefore(ledger: BlameSource, { before }: FileStep): Promise<Buffer | undefined> {
  if (before === undefined || before.mode === '120000') return undefined;
  const bytes = await ledger.readBlob(before.oid);
  return isBinary(bytes) ? undefined : bytes;
}

async function readText(ledger: BlameSource, path: RelPath, state: FileState): Promise<Buffer> {
  const bytes = await ledger.readBlob(state.oid);
  const what = state.mode === '120000' ? 'a symlink' : isBinary(bytes) ? 'a binary file' : undefined;
  if (what === undefined) return bytes;
  throw new SafeCoderError('usage/bad-argument', `${showPath(path)} is ${what}: it has no lines.`, {
    hint: `"safe-coder log --file ${showPath(path)}" lists the entries that changed it.`,
  });
}

async function entryOfTree(ledger: BlameSource, tree: string): Promise<Entry> {
  const found = (await ledger.entries()).findLast((entry) => entry.tree === tree);
  if (found) return found;
  throw new SafeCoderError('ledger/no-such-entry', `No entry of the ledger has the tree ${tree}.`);
}

function noSuchFile(path: RelPath, entry: Entry): SafeCoderError {
  return new SafeCoderError(
    'usage/no-such-path',
    `There is no file ${showPath(path)} in entry #${entry.trailers.seq}.`,
    { hint: 'Name it relative to the project. "safe-coder diff --stat" lists what changed.' },
  );
}
