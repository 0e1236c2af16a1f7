/** Rules on package manifests: which scripts come or change, and which dependencies come from elsewhere than a registry. */
import type { TextFacts } from './facts.ts';
import { textOf } from './facts.ts';
import { foldPath } from './match-names.ts';
import type { TextRule } from './rule.ts';
import { showNames } from './shown-names.ts';

/** What npm and its like run by themselves, on install or on pack and publish. */
const LIFECYCLE =
  /^(?:(?:pre|post)?(?:install|prepare|pack|publish|version|uninstall)|prepublishOnly|dependencies|pnpm:devPreinstall|(?:pre|post)-(?:install|update|autoload-dump)(?:-cmd)?|(?:pre|post)-\w{1,20}-cmd)$/;
const DEPENDENCIES = [
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'peerDependencies',
  'overrides',
  'resolutions',
  'require',
  'require-dev',
];
/** Anything but a range of versions, a tag, or a package of the same repository. */
const ELSEWHERE =
  /^(?:git|github|gitlab|bitbucket|gist|https?|file|link|portal|patch|ssh|exec|npm):|^git[+@]|:\/\/|^[\w.-]{1,100}\/[\w.#-]{1,100}$|^[.~]{0,2}\//;
/** A manifest is never this large; parsing it would be work for nothing. */
const MOST_BYTES = 4 << 20;

type Json = { [key: string]: unknown };

export const MANIFESTS: readonly TextRule<TextFacts>[] = [
  {
    id: 'manifest-scripts',
    severity: 'runs',
    reason: 'scripts added or changed',
    find: (facts) => compare(facts, changedScripts),
    matches: [
      { path: 'package.json', before: '{}', after: '{"scripts":{"postinstall":"x"}}' },
      { path: 'a/package.json', before: '{"scripts":{"test":"a"}}', after: '{"scripts":{"test":"b"}}' },
      { path: 'composer.json', before: '{}', after: '{"scripts":{"post-install-cmd":["x"]}}' },
      {
        path: 'package.json',
        from: 'data.txt',
        before: '{"scripts":{"a":"b"}}',
        after: '{"scripts":{"a":"b"}}',
      },
    ],
    not: [
      {
        path: 'package.json',
        before: '{"scripts":{"test":"a"}}',
        after: '{"scripts":{"test":"a"},"version":"2.0.0"}',
      },
      { path: 'package.json', before: '{"scripts":{"test":"a"}}', after: '{}' },
      { path: 'data.json', after: '{"scripts":{"postinstall":"x"}}' },
    ],
  },
  {
    id: 'manifest-runs',
    severity: 'runs',
    reason: 'names programs or code that tools run',
    find: (facts) => compare(facts, changedPrograms),
    matches: [
      { path: 'package.json', before: '{}', after: '{"bin":"./x.js"}' },
      { path: 'package.json', before: '{}', after: '{"gypfile":true}' },
      { path: 'package.json', before: '{"packageManager":"npm@10"}', after: '{"packageManager":"npm@11"}' },
    ],
    not: [{ path: 'package.json', before: '{"bin":"a"}', after: '{"bin":"a","version":"1.0.1"}' }],
  },
  {
    id: 'manifest-sources',
    severity: 'runs',
    reason: 'dependencies that come from no registry',
    find: (facts) => compare(facts, foreignDependencies),
    matches: [
      { path: 'package.json', before: '{}', after: '{"dependencies":{"a":"git+https://x.test/a.git"}}' },
      { path: 'package.json', before: '{}', after: '{"devDependencies":{"a":"someone/fork"}}' },
      { path: 'package.json', before: '{}', after: '{"overrides":{"a":"file:../a"}}' },
      {
        path: 'package.json',
        before: '{"dependencies":{"a":"^1"}}',
        after: '{"dependencies":{"a":"npm:b@1"}}',
      },
    ],
    not: [
      {
        path: 'package.json',
        before: '{}',
        after: '{"dependencies":{"a":"^1.2.3","b":"workspace:*","c":"latest"}}',
      },
      {
        path: 'package.json',
        before: '{"dependencies":{"a":"o/f"}}',
        after: '{"dependencies":{"a":"o/f"},"name":"x"}',
      },
    ],
  },
  {
    id: 'manifest-unreadable',
    severity: 'deceives',
    reason: 'package manifest that can not be read as such',
    find: ({ name, after }) => isManifest(name) && parse(after) === undefined,
    matches: [
      { path: 'package.json', after: '{"a":' },
      { path: 'package.json', after: '[]' },
    ],
    not: [
      { path: 'package.json', after: '\ufeff{}' },
      { path: 'tsconfig.json', after: '// note\n{}' },
    ],
  },
  {
    id: 'build-backend',
    severity: 'runs',
    reason: 'build backend: is run when the package is built or installed',
    find: ({ name, added }) => {
      if (name === 'pyproject.toml')
        return /^\s{0,20}(?:build-backend|backend-path)\s{0,9}=|^\s{0,20}\[build-system\]/m.test(added);
      if (name === 'cargo.toml') return /^\s{0,20}(?:build|links|proc-macro)\s{0,9}=/m.test(added);
      if (name === 'setup.py' || name === 'setup.cfg') return /\bcmdclass\b|\bentry_points\b/.test(added);
      return /\.gemspec$/.test(name) && /\bextensions\b/.test(added);
    },
    matches: [
      { path: 'pyproject.toml', after: '[build-system]\nbuild-backend = "x"\n' },
      { path: 'Cargo.toml', after: '[package]\nbuild = "evil.rs"\n' },
      { path: 'setup.py', after: 'setup(cmdclass={"install": X})' },
      { path: 'a.gemspec', after: 's.extensions = ["ext/extconf.rb"]' },
    ],
    not: [
      { path: 'pyproject.toml', after: '[project]\nname = "x"\n' },
      { path: 'Cargo.toml', after: '[build-dependencies]\ncc = "1"\n' },
    ],
  },
];

function isManifest(name: string): boolean {
  return name === 'package.json' || name === 'composer.json';
}

/** Asks with both sides parsed. A file that was no manifest before its renaming has no old side. */
function compare(facts: TextFacts, judge: (old: Json, now: Json) => string[]): string[] {
  if (!isManifest(facts.name)) return [];
  const now = parse(facts.after);
  if (now === undefined) return [];
  const { from } = facts.change;
  const wasManifest = from === undefined || isManifest(lastName(foldPath(from)));
  return judge((wasManifest && facts.before && parse(facts.before)) || {}, now);
}

function lastName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function parse(bytes: Uint8Array): Json | undefined {
  if (bytes.length > MOST_BYTES) return undefined;
  try {
    return asObject(JSON.parse(textOf(bytes)));
  } catch {
    // Not JSON: there is a rule for that.
    return undefined;
  }
}

function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** Keys of one object whose values are new or other ones. */
function changedKeys(old: unknown, now: unknown): string[] {
  const [was, is] = [asObject(old) ?? {}, asObject(now) ?? {}];
  return Object.keys(is).filter((key) => JSON.stringify(is[key]) !== JSON.stringify(own(was, key)));
}

function own(object: Json, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function changedScripts(old: Json, now: Json): string[] {
  const names = changedKeys(own(old, 'scripts'), own(now, 'scripts'));
  const installing = names.filter((name) => LIFECYCLE.test(name));
  const others = names.filter((name) => !LIFECYCLE.test(name));
  return [
    ...(installing.length > 0 ? [`install script: ${showNames(installing)} runs by itself`] : []),
    ...(others.length > 0 ? [`scripts added or changed: ${showNames(others)}`] : []),
  ];
}

const PROGRAM_KEYS = [
  'bin',
  'gypfile',
  'binary',
  'packageManager',
  'husky',
  'lint-staged',
  'simple-git-hooks',
  'pre-commit',
  'gitHooks',
  'pnpm',
  'trustedDependencies',
  'workspaces',
  'plugins',
  'allow-plugins',
  'repositories',
];

function changedPrograms(old: Json, now: Json): string[] {
  const keys = PROGRAM_KEYS.filter(
    (key) => own(now, key) !== undefined && JSON.stringify(own(old, key)) !== JSON.stringify(own(now, key)),
  );
  return keys.length > 0 ? [`names programs or code that tools run: ${keys.join(', ')}`] : [];
}

function foreignDependencies(old: Json, now: Json): string[] {
  const found = DEPENDENCIES.flatMap((key) => {
    const is = asObject(own(now, key)) ?? {};
    return changedKeys(own(old, key), is).filter((name) => isElsewhere(own(is, name)));
  });
  return found.length > 0
    ? [`dependencies that come from no registry: ${showNames([...new Set(found)])}`]
    : [];
}

/** An override may hold further ones. Deeper than that nobody nests them. */
function isElsewhere(value: unknown, depth = 0): boolean {
  if (typeof value === 'string') return ELSEWHERE.test(value.slice(0, 300));
  const inner = depth < 8 ? asObject(value) : undefined;
  return inner !== undefined && Object.values(inner).some((each) => isElsewhere(each, depth + 1));
}
