/** Risks that no single change shows: many deletions, a lockfile without its manifest, names that look alike. */
import { isMassDeletion } from '../mass-deletion.ts';
import { looksLikeAscii } from './look-alikes.ts';
import { foldPath } from './match-names.ts';
import type { RiskChange, Severity } from './rule.ts';
import { showNames } from './shown-names.ts';

interface SetRule {
  id: string;
  severity: Severity;
  reason: string;
  judge(changes: readonly RiskChange[]): Map<string, string>;
  /** Lists of paths; one with a minus before it is deleted. */
  matches: readonly (readonly string[])[];
  not: readonly (readonly string[])[];
}

const LOCK_OF: Record<string, string> = {
  'package-lock.json': 'package.json',
  'npm-shrinkwrap.json': 'package.json',
  'yarn.lock': 'package.json',
  'pnpm-lock.yaml': 'package.json',
  'bun.lock': 'package.json',
  'bun.lockb': 'package.json',
  'cargo.lock': 'cargo.toml',
  'poetry.lock': 'pyproject.toml',
  'uv.lock': 'pyproject.toml',
  'pdm.lock': 'pyproject.toml',
  'pipfile.lock': 'pipfile',
  'gemfile.lock': 'gemfile',
  'composer.lock': 'composer.json',
  'go.sum': 'go.mod',
};

const numbered = (sign: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${sign}src/f${at}.ts`);

export const SET_RULES: readonly SetRule[] = [
  {
    id: 'mass-deletion',
    severity: 'destroys',
    reason: 'one of many deletions',
    judge: (changes) => {
      const gone = changes.filter(({ after }) => after === undefined);
      const reason = `one of ${gone.length.toLocaleString('en-US')} deletions`;
      const isMass = isMassDeletion(gone.length, changes.length);
      return new Map(isMass ? gone.map(({ path }) => [path, reason]) : []);
    },
    matches: [numbered('-', 50).concat(numbered('', 500)), numbered('-', 12)],
    not: [numbered('-', 9), numbered('-', 12).concat(numbered('+', 20))],
  },
  {
    id: 'lock-without-manifest',
    severity: 'runs',
    reason: 'lockfile changed and its manifest did not',
    judge: (changes) => {
      const folded = new Set(changes.map(({ path }) => foldPath(path)));
      // In a workspace one lockfile at the top serves manifests anywhere below.
      const names = new Map<string, string[]>();
      for (const path of folded) {
        const name = path.slice(path.lastIndexOf('/') + 1);
        names.set(name, [...(names.get(name) ?? []), path]);
      }
      const found = new Map<string, string>();
      for (const { path, after } of changes) {
        if (after === undefined) continue;
        const own = foldPath(path);
        const slash = own.lastIndexOf('/') + 1;
        const manifest = Object.hasOwn(LOCK_OF, own.slice(slash)) ? LOCK_OF[own.slice(slash)] : undefined;
        if (manifest === undefined) continue;
        const folder = own.slice(0, slash);
        if ((names.get(manifest) ?? []).some((each) => each.startsWith(folder))) continue;
        found.set(path, 'lockfile changed and its manifest did not');
      }
      return found;
    },
    matches: [['package-lock.json'], ['a/Cargo.lock', 'b/Cargo.toml']],
    not: [['package-lock.json', 'package.json'], ['yarn.lock', 'packages/a/package.json'], ['-yarn.lock']],
  },
  {
    id: 'name-twin',
    severity: 'deceives',
    reason: 'its name looks like that of another changed file',
    judge: (changes) => {
      const names = new Map(changes.map(({ path }) => [path, path]));
      const found = new Map<string, string>();
      for (const { path } of changes) {
        const like = looksLikeAscii(path);
        if (like === undefined || !names.has(like)) continue;
        found.set(path, `its name looks like that of ${showNames([like])}`);
      }
      return found;
    },
    matches: [['src/copy.ts', 'src/\u0441\u043e\u0440\u0443.ts']],
    not: [['src/copy.ts', 'src/copy2.ts']],
  },
];

/** Reasons by path, of those changes that carry any. */
export function risksOfSet(changes: readonly RiskChange[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const rule of SET_RULES) {
    for (const [path, reason] of rule.judge(changes)) found.set(path, [...(found.get(path) ?? []), reason]);
  }
  return found;
}
