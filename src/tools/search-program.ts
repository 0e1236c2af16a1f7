/**
 * The command lines of a search. Everything a model wrote is a value after `-e`, behind `=`, or a path that begins
 * with `./` after `--`: none of it can be taken for an option.
 */

export interface GrepQuery {
  pattern: string;
  mode: 'files' | 'content' | 'count';
  context?: number | undefined;
  type?: string | undefined;
  ignore_case?: boolean | undefined;
  multiline?: boolean | undefined;
}

/** Hidden files are searched, ignored ones are not; `.git` never is. */
const RIPGREP = [
  'rg',
  '--no-config',
  '--hidden',
  '--no-require-git',
  '--color=never',
  '--null',
  '--glob=!.git',
];

/** Names of files below `target` (from the workspace's root), newest first, each ended by NUL. */
export function ripgrepFiles(target: string): string[] {
  return [...RIPGREP, '--files', '--sortr=modified', '--', asOperand(target)];
}

/** Matches below `target`: names ended by NUL, or lines `name NUL number : text`, or `name NUL count`. */
export function ripgrepMatches(query: GrepQuery, target: string): string[] {
  return [
    ...RIPGREP,
    '--with-filename',
    '--no-heading',
    query.ignore_case === true ? '--ignore-case' : '--case-sensitive',
    ...(query.multiline === true ? ['--multiline', '--multiline-dotall'] : []),
    ...(query.type === undefined ? [] : [`--type=${query.type}`]),
    ...RIPGREP_MODES[query.mode],
    ...(query.mode === 'content' && query.context !== undefined ? [`--context=${query.context}`] : []),
    '-e',
    query.pattern,
    '--',
    asOperand(target),
  ];
}

const RIPGREP_MODES: Record<GrepQuery['mode'], string[]> = {
  files: ['--files-with-matches', '--sortr=modified'],
  content: ['--line-number', '--max-columns=2000', '--max-columns-preview', '--sort=path'],
  count: ['--count', '--sort=path'],
};

/** For a guest without ripgrep: what git knows and doesn't ignore, each name ended by NUL. Not sorted by time. */
export function gitFiles(target: string): string[] {
  return ['git', 'ls-files', '--cached', '--others', '--exclude-standard', '-z', '--', asOperand(target)];
}

/** For a guest without ripgrep where git knows nothing either. */
export function findFiles(target: string): string[] {
  return ['find', asOperand(target), '-name', '.git', '-prune', '-o', '-type', 'f', '-print0'];
}

/** For a guest without ripgrep: the same records by grep. */
export function grepMatches(query: GrepQuery, target: string): string[] {
  return [
    'grep',
    '-rIEZ',
    '--exclude-dir=.git',
    ...(query.ignore_case === true ? ['-i'] : []),
    ...GREP_MODES[query.mode],
    ...(query.mode === 'content' && query.context !== undefined ? [`--context=${query.context}`] : []),
    '-e',
    query.pattern,
    '--',
    asOperand(target),
  ];
}

const GREP_MODES: Record<GrepQuery['mode'], string[]> = { files: ['-l'], content: ['-nH'], count: ['-cH'] };

function asOperand(target: string): string {
  return target === '' ? '.' : `./${target}`;
}
