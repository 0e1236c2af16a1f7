/** One file as it is looked at: its rows, where the cursor is, what is folded, which colours have come. */
import { splitLines } from '../../diff/lines.ts';
import { NO_NEWLINE } from '../../diff/text-diff.ts';
import type { FileHunks, ReviewHunk } from '../../review/file-hunks.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import { type DiffRow, hunkRows, pairLines } from './diff-rows.ts';
import { fileNotes } from './file-notes.ts';
import { lineText } from './line-text.ts';
import type { Token } from './tokens.ts';
import { diffWords, type Ranges } from './word-diff.ts';

/** Lines that are coloured together. */
const BLOCK = 80;

/** A block of lines whose colours are missing. */
export interface WantedColours {
  key: string;
  lines: string[];
}

/** One side of a hunk: the indexes of its lines, and for each line of the hunk its place among them. */
interface SideLines {
  indexes: number[];
  places: Int32Array;
}

export class FileView {
  readonly item: ReviewItem;
  hunks: FileHunks | undefined;
  /** Why the file can't be shown. */
  failure: string | undefined;
  rows: readonly DiffRow[] = [];
  cursor = 0;
  top = 0;
  /** Columns that are scrolled away on the left. */
  left = 0;
  /** Where a range of lines begins that ends at the cursor. */
  anchor: number | undefined;
  isSplit = false;
  readonly folded = new Set<number>();
  readonly opened = new Set<number>();
  #oldLines: string[] | undefined;
  readonly #sides = new Map<string, SideLines>();
  readonly #words = new Map<string, Ranges | undefined>();
  readonly #colours = new Map<string, Token[][]>();
  readonly #asked = new Set<string>();
  readonly #wanted = new Map<string, WantedColours>();

  constructor(item: ReviewItem) {
    this.item = item;
    this.rows = fileNotes(item, undefined);
  }

  get textHunks(): readonly ReviewHunk[] {
    return this.hunks?.kind === 'text' ? this.hunks.hunks : [];
  }

  get row(): DiffRow | undefined {
    return this.rows[this.cursor];
  }

  /** Index of the hunk under the cursor, if there is one. */
  get hunkAtCursor(): number | undefined {
    return hunkOf(this.row);
  }

  get hasOldLines(): boolean {
    return this.#oldLines !== undefined;
  }

  show(hunks: FileHunks): void {
    this.hunks = hunks;
    this.failure = undefined;
    this.arrange();
    this.cursor = Math.max(
      0,
      this.rows.findIndex((row) => row.kind === 'hunk'),
    );
  }

  fail(reason: string): void {
    this.failure = reason;
    this.rows = [...fileNotes(this.item, undefined), { kind: 'note', text: reason, tone: 'risk' }];
  }

  /** The old side's bytes, for lines between hunks. */
  setOld(bytes: Buffer): void {
    this.#oldLines = splitLines(bytes);
    this.arrange();
  }

  /** Makes the rows again; the cursor stays on its line. */
  arrange(): void {
    const before = this.row;
    this.rows = [
      ...fileNotes(this.item, this.hunks),
      ...hunkRows(this.textHunks, {
        isSplit: this.isSplit,
        folded: this.folded,
        opened: this.opened,
        ...(this.#oldLines !== undefined && { oldLines: this.#oldLines.length }),
      }),
    ];
    const at = before === undefined ? -1 : this.rows.findIndex((row) => isSamePlace(row, before));
    const hunk = hunkOf(before);
    const head = this.rows.findIndex((row) => row.kind === 'hunk' && row.hunk === hunk);
    this.cursor =
      at !== -1 ? at : head !== -1 ? head : Math.min(this.cursor, Math.max(0, this.rows.length - 1));
    this.anchor = undefined;
  }

  /** Text of a line of a hunk, without its sign. */
  textOf(hunk: number, line: number): string {
    return lineText(this.textHunks[hunk]?.lines[line]?.slice(1) ?? '');
  }

  isWithoutNewline(hunk: number, line: number): boolean {
    return this.textHunks[hunk]?.lines[line + 1] === NO_NEWLINE;
  }

  /** A line between hunks, by its number in the old file. */
  contextText(old: number): string {
    return lineText((this.#oldLines?.[old - 1] ?? '').replace(/\n$/, ''));
  }

  /** The words of a replaced line that changed. */
  wordsOf(hunk: number, line: number): Ranges | undefined {
    const key = `${hunk} ${line}`;
    if (this.#words.has(key)) return this.#words.get(key);
    const other = this.textHunks[hunk] && pairLines(this.textHunks[hunk], line);
    let ranges: Ranges | undefined;
    if (other !== undefined) {
      const isOld = this.textHunks[hunk]?.lines[line]?.startsWith('-') === true;
      const [old, now] = isOld ? [line, other] : [other, line];
      const diff = diffWords(this.textOf(hunk, old), this.textOf(hunk, now));
      this.#words.set(`${hunk} ${old}`, diff?.old);
      this.#words.set(`${hunk} ${now}`, diff?.now);
      ranges = isOld ? diff?.old : diff?.now;
    } else this.#words.set(key, undefined);
    return ranges;
  }

  /** Colours of a line, as far as they have come; asks for them otherwise. */
  tokensOf(hunk: number, line: number): readonly Token[] | undefined {
    const isOld = this.textHunks[hunk]?.lines[line]?.startsWith('-') === true;
    const side = this.#side(hunk, isOld);
    const place = side.places[line] ?? 0;
    const block = Math.floor(place / BLOCK);
    const key = `${hunk} ${isOld} ${block}`;
    const colours = this.#colours.get(key);
    if (colours !== undefined) return colours[place % BLOCK];
    if (!this.#asked.has(key)) {
      this.#asked.add(key);
      const indexes = side.indexes.slice(block * BLOCK, (block + 1) * BLOCK);
      this.#wanted.set(key, { key, lines: indexes.map((index) => this.textOf(hunk, index)) });
    }
    return undefined;
  }

  /** What was asked for since the last time. */
  takeWanted(): WantedColours[] {
    const wanted = [...this.#wanted.values()];
    this.#wanted.clear();
    return wanted;
  }

  setColours(key: string, tokens: Token[][]): void {
    this.#colours.set(key, tokens);
  }

  #side(hunk: number, isOld: boolean): SideLines {
    const key = `${hunk} ${isOld}`;
    const known = this.#sides.get(key);
    if (known !== undefined) return known;
    const lines = this.textHunks[hunk]?.lines ?? [];
    const own = (isOld ? '-' : '+').charCodeAt(0);
    const indexes: number[] = [];
    const places = new Int32Array(lines.length);
    for (let index = 0; index < lines.length; index++) {
      const sign = lines[index]?.charCodeAt(0);
      if (sign !== 32 && sign !== own) continue;
      places[index] = indexes.length;
      indexes.push(index);
    }
    const side = { indexes, places };
    this.#sides.set(key, side);
    return side;
  }
}

export function hunkOf(row: DiffRow | undefined): number | undefined {
  return row !== undefined && 'hunk' in row ? row.hunk : undefined;
}

/** The lines of change (indexes into the hunk's lines) that a row shows. */
export function changedLinesOf(row: DiffRow, hunk: ReviewHunk | undefined): number[] {
  const lines =
    row.kind === 'line'
      ? [row.line]
      : row.kind === 'pair'
        ? [row.left?.line, row.right?.line].filter((line) => line !== undefined)
        : [];
  return [...new Set(lines)].filter((line) => /^[-+]/.test(hunk?.lines[line] ?? ''));
}

/** Rows of one hunk that show one line, or its head. */
function isSamePlace(row: DiffRow, other: DiffRow): boolean {
  if (row.kind === 'hunk') return other.kind === 'hunk' && row.hunk === other.hunk;
  if (row.kind !== 'line' && row.kind !== 'pair') return false;
  if ((other.kind !== 'line' && other.kind !== 'pair') || row.hunk !== other.hunk) return false;
  return other.kind === 'line'
    ? shows(row, other.line)
    : shows(row, other.left?.line) || shows(row, other.right?.line);
}

function shows(row: Extract<DiffRow, { kind: 'line' | 'pair' }>, line: number | undefined): boolean {
  if (line === undefined) return false;
  return row.kind === 'line' ? row.line === line : row.left?.line === line || row.right?.line === line;
}
