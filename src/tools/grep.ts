/** The grep tool: a regular expression over the workspace. */
import { decodePath, showPath } from '../base/path-bytes.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';
import { cutLine } from './budget.ts';
import { defineTool, refuse } from './define-tool.ts';
import { compileGlob, type GlobMatcher } from './glob-pattern.ts';
import { guestErrno } from './guest-failure.ts';
import { grepInterface } from './interface/grep.ts';
import { LIMITS } from './limits.ts';
import { runSearch, type SearchEnd } from './search-process.ts';
import { type GrepQuery, grepMatches, ripgrepMatches } from './search-program.ts';
import { below, locateTarget, withoutDot } from './search-target.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';
import type { ToolState } from './tool-state.ts';

interface Window {
  offset: number;
  limit: number;
}

export function createGrepTool(state: ToolState): Tool {
  return defineTool(grepInterface, async (input, context) => {
    if (input.pattern.includes('\0')) throw refuse('The pattern holds a NUL byte, which no text file does.');
    const { target } = await locateTarget(context, input.path);
    const glob = input.glob === undefined ? undefined : compileGlob(input.glob);
    const isAnchored = input.glob?.startsWith('/') === true;
    const test: GlobMatcher = (name) => glob === undefined || glob(isAnchored ? name : below(target, name));
    const query: GrepQuery = { ...input, mode: input.mode ?? 'files' };
    const window = { offset: input.offset ?? 0, limit: input.head_limit ?? LIMITS.searchResults };
    const results = new Results(query.mode, test, window);
    const end = await search(state, context, query, target, results);
    return report(results, window, end, state.hasRipgrep === true);
  });
}

async function search(
  state: ToolState,
  context: ToolContext,
  query: GrepQuery,
  target: string,
  results: Results,
): Promise<SearchEnd> {
  const separator = query.mode === 'files' ? 0 : 10;
  const onRecord = (record: Buffer) => results.take(record);
  if (state.hasRipgrep !== false) {
    try {
      const end = await runSearch(context, { argv: ripgrepMatches(query, target), separator, onRecord });
      state.hasRipgrep = true;
      return end;
    } catch (error) {
      if (guestErrno(error) !== 'ENOENT') throw error;
      state.hasRipgrep = false;
    }
  }
  if (query.multiline === true || query.type !== undefined) {
    throw refuse(
      '"multiline" and "type" need ripgrep, which is missing in the sandbox.',
      'Use glob instead of type.',
    );
  }
  return await runSearch(context, { argv: grepMatches(query, target), separator, onRecord });
}

/** Collects results until there are enough. */
class Results {
  readonly lines: string[] = [];
  /** Matches (files in files and count mode) that were passed over or shown. */
  seen = 0;
  hasMore = false;
  readonly #mode: GrepQuery['mode'];
  readonly #test: GlobMatcher;
  readonly #window: Window;
  #bytes = 0;

  constructor(mode: GrepQuery['mode'], test: GlobMatcher, window: Window) {
    this.#mode = mode;
    this.#test = test;
    this.#window = window;
  }

  /** One record of the program's output; false when there are enough. */
  take(record: Buffer): boolean {
    const nul = this.#mode === 'files' ? record.length : record.indexOf(0);
    if (nul === -1) return this.#takeSeparator(record);
    const name = withoutDot(decodePath(record.subarray(0, nul)));
    if (!this.#test(name)) return true;
    if (this.#mode === 'files') return this.#takeMatch(showPath(name));
    const rest = escapeForTerminal(decodePath(record.subarray(nul + 1)), { keepNewlines: false });
    if (this.#mode === 'count') return rest === '0' || this.#takeMatch(`${showPath(name)}:${rest}`);
    return this.#takeLine(name, rest);
  }

  #takeLine(name: string, rest: string): boolean {
    const parts = /^(\d+)([:-])(.*)$/su.exec(rest);
    if (parts === null) return true;
    const [, number, kind, text = ''] = parts;
    const line = `${showPath(name)}${kind}${number}${kind}${cutLine(text.replace(/\\x0d$/, ''), LIMITS.searchLineChars)}`;
    return kind === ':' ? this.#takeMatch(line) : this.#takeContext(line);
  }

  #takeSeparator(record: Buffer): boolean {
    return (
      this.#mode !== 'content' ||
      record.toString() !== '--' ||
      this.lines.length === 0 ||
      this.#takeContext('--')
    );
  }

  #takeContext(line: string): boolean {
    if (this.seen >= this.#window.offset && this.lines.length < LIMITS.resultLines) this.#keep(line);
    return true;
  }

  #takeMatch(line: string): boolean {
    const isFull = this.seen >= this.#window.offset + this.#window.limit || this.#bytes > LIMITS.resultBytes;
    if (isFull) {
      this.hasMore = true;
      return false;
    }
    this.seen += 1;
    if (this.seen > this.#window.offset) this.#keep(line);
    return true;
  }

  #keep(line: string): void {
    this.lines.push(line);
    this.#bytes += Buffer.byteLength(line) + 1;
  }
}

function report(results: Results, window: Window, end: SearchEnd, hasRipgrep: boolean): ToolResult {
  const isFailure = end.why === 'ended' && end.exitCode !== 0 && end.exitCode !== 1;
  if (isFailure && results.seen === 0) throw refuseBrokenSearch(end);
  const notes: string[] = [];
  if (results.hasMore) notes.push(`(more matches; continue with offset=${results.seen})`);
  if (end.why === 'timeout') {
    notes.push(
      `(stopped after ${LIMITS.searchMs / 1000} seconds; search in a smaller part with path or glob)`,
    );
  }
  if (isFailure) notes.push(`(warning: not everything could be searched: ${end.errors})`);
  if (!hasRipgrep)
    notes.push(
      '(ripgrep is missing in the sandbox: .gitignore was not respected, and nothing is sorted by time)',
    );
  if (results.lines.length === 0) {
    notes.unshift(
      results.seen === 0
        ? 'No matches.'
        : `No more matches: there are ${results.seen}, and offset=${window.offset}.`,
    );
  }
  return {
    ok: end.why !== 'timeout' || results.lines.length > 0,
    text: [...results.lines, ...notes].join('\n'),
    meta: { matches: results.seen, truncated: results.hasMore || end.why === 'timeout' },
  };
}

function refuseBrokenSearch(end: SearchEnd): Error {
  const { errors } = end;
  if (/unrecognized file type/.test(errors)) return refuse(errors, 'Use glob instead, e.g. "*.vue".');
  if (/not allowed in a regex|multiline/i.test(errors)) {
    return refuse(`The search failed: ${errors}`, 'Set multiline to true to match across lines.');
  }
  if (/regex|unmatched|unclosed|repetition|invalid/i.test(errors)) {
    return refuse(
      `The pattern is no valid regular expression: ${errors}`,
      'Escape what is meant literally, e.g. \\{ \\} \\( \\) \\[ \\. \\* \\?.',
    );
  }
  return refuse(
    `The search failed (exit code ${end.exitCode}): ${errors === '' ? 'no reason was given' : errors}`,
  );
}
