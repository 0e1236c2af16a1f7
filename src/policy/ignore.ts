/**
 * The ignore rules of a project as it was before the agent came: every .gitignore and .git/info/exclude, with git's
 * precedence. What the user's own configuration ignores is left out, because it is not the project's word.
 */
import { encodePath, type RelPath } from '../base/path-bytes.ts';
import { type IgnorePattern, parseIgnoreLine } from './ignore-pattern.ts';

/** A larger ignore file counts as having no rules; the reader says so. */
export const MAX_IGNORE_FILE_BYTES = 256 << 10;

/** The bytes of one ignore file as its patterns, last line first. */
export function parseIgnoreFile(bytes: Uint8Array): IgnorePattern[] {
  const text = Buffer.from(bytes).toString('latin1');
  return text
    .replace(/^\xef\xbb\xbf/, '')
    .split('\n')
    .map((line) => parseIgnoreLine(line.replace(/\r$/, '')))
    .filter((pattern) => pattern !== undefined)
    .reverse();
}

/**
 * Paths in here hold one byte per character and have no leading or trailing slash; the root is ''. Directories must be
 * added parents first.
 */
export class IgnoreRules {
  readonly #byDirectory = new Map<string, IgnorePattern[]>();
  #exclude: IgnorePattern[] = [];

  /** The patterns of .git/info/exclude: asked last. */
  setExclude(patterns: IgnorePattern[]): void {
    this.#exclude = patterns;
  }

  add(directory: string, patterns: IgnorePattern[]): void {
    if (patterns.length > 0) this.#byDirectory.set(directory, patterns);
  }

  /** Whether the rules name this very path. Right only if no parent of it is ignored; see {@link isIgnored}. */
  matches(path: string, isDirectory: boolean): boolean {
    const name = path.slice(path.lastIndexOf('/') + 1);
    for (let end = path.lastIndexOf('/'); this.#byDirectory.size > 0; end = path.lastIndexOf('/', end - 1)) {
      const directory = end < 0 ? '' : path.slice(0, end);
      const patterns = this.#byDirectory.get(directory);
      const verdict = patterns && decide(patterns, path.slice(end + 1), name, isDirectory);
      if (verdict !== undefined) return verdict;
      if (end <= 0) break;
    }
    return decide(this.#exclude, path, name, isDirectory) ?? false;
  }

  /** Whether the path or a directory above it is ignored. */
  isIgnored(path: RelPath, isDirectory: boolean): boolean {
    const bytes = encodePath(path).toString('latin1');
    for (let end = bytes.indexOf('/'); end >= 0; end = bytes.indexOf('/', end + 1)) {
      if (this.matches(bytes.slice(0, end), true)) return true;
    }
    return this.matches(bytes, isDirectory);
  }
}

/** The word of the last pattern that matches, or undefined when none does. */
function decide(
  patterns: IgnorePattern[],
  path: string,
  name: string,
  isDirectory: boolean,
): boolean | undefined {
  for (const pattern of patterns) {
    if (pattern.isDirectoryOnly && !isDirectory) continue;
    if (pattern.matches(pattern.isAnchored ? path : name)) return !pattern.isNegated;
  }
  return undefined;
}
