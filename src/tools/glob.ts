/** The glob tool: files by name, newest first. */
import { decodePath, showPath } from '../base/path-bytes.ts';
import { defineTool, refuse } from './define-tool.ts';
import { compileGlob, type GlobMatcher } from './glob-pattern.ts';
import { guestErrno } from './guest-failure.ts';
import { globInterface } from './interface/glob.ts';
import { LIMITS } from './limits.ts';
import { runSearch, type SearchEnd } from './search-process.ts';
import { findFiles, gitFiles, ripgrepFiles } from './search-program.ts';
import { below, locateTarget, withoutDot } from './search-target.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';
import type { ToolState } from './tool-state.ts';

interface Found {
  names: string[];
  total: number;
  end: SearchEnd;
}

export function createGlobTool(state: ToolState): Tool {
  return defineTool(globInterface, async (input, context) => {
    const { target, located } = await locateTarget(context, input.path);
    if (located.stat?.kind !== 'directory')
      throw refuse(`${located.shown} is not a directory.`, 'Name a directory.');
    const pattern = fromWorkspace(context, input.pattern);
    const matches = compileGlob(pattern);
    const test: GlobMatcher = pattern.startsWith('/') ? matches : (name) => matches(below(target, name));
    const found = await listFiles(state, context, target, test, input.limit ?? LIMITS.searchResults);
    return report(found, state.hasRipgrep === true);
  });
}

/** A pattern with the workspace's absolute path in front is anchored at the workspace's root. */
function fromWorkspace(context: ToolContext, pattern: string): string {
  const root = context.sandbox.workspace;
  return pattern.startsWith(`${root}/`) ? pattern.slice(root.length) : pattern;
}

/** By ripgrep, or by what there is instead. */
async function listFiles(
  state: ToolState,
  context: ToolContext,
  target: string,
  test: GlobMatcher,
  limit: number,
): Promise<Found> {
  if (state.hasRipgrep !== false) {
    try {
      const found = await collect(context, ripgrepFiles(target), test, limit);
      state.hasRipgrep = true;
      return found;
    } catch (error) {
      if (guestErrno(error) !== 'ENOENT') throw error;
      state.hasRipgrep = false;
    }
  }
  try {
    const found = await collect(context, gitFiles(target), test, limit);
    if (found.end.exitCode === 0) return found;
  } catch (error) {
    if (guestErrno(error) !== 'ENOENT') throw error;
  }
  return await collect(context, findFiles(target), test, limit);
}

async function collect(
  context: ToolContext,
  argv: string[],
  test: GlobMatcher,
  limit: number,
): Promise<Found> {
  const names: string[] = [];
  let total = 0;
  const end = await runSearch(context, {
    argv,
    separator: 0,
    onRecord: (record) => {
      const name = withoutDot(decodePath(record));
      if (!test(name)) return true;
      total += 1;
      if (names.length < limit) names.push(name);
      return true;
    },
  });
  return { names, total, end };
}

function report({ names, total, end }: Found, isSorted: boolean): ToolResult {
  const notes: string[] = [];
  if (total > names.length) notes.push(`(${total - names.length} more; narrow the pattern or raise limit)`);
  if (!isSorted) notes.push('(ripgrep is missing in the sandbox: not sorted by time)');
  if (end.why === 'timeout')
    notes.push(`(stopped after ${LIMITS.searchMs / 1000} seconds: there may be more)`);
  if (end.why === 'ended' && end.exitCode !== 0 && end.errors !== '') notes.push(`(warning: ${end.errors})`);
  if (total === 0) notes.unshift('No files match.');
  return {
    ok: true,
    text: [...names.map(showPath), ...notes].join('\n'),
    meta: { files: total, truncated: total > names.length || end.why === 'timeout' },
  };
}
