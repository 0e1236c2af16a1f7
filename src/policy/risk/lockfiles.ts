/** Rules on lockfiles: nobody reads them, and they decide which bytes are installed. */
import type { TextFacts } from './facts.ts';
import { textOf } from './facts.ts';
import { isKnownLock, type LockEntries, readLock } from './lock-entries.ts';
import { foldPath } from './match-names.ts';
import type { TextRule } from './rule.ts';
import { showNames } from './shown-names.ts';

/** Beyond this a lockfile is not taken apart, and said so. */
const MOST_BYTES = 24 << 20;

const npm = (version: string, rest: string) =>
  `{"packages":{"node_modules/a":{"version":"${version}",${rest}}}}`;
const usual = '"resolved":"https://registry.test/a/-/a-1.0.0.tgz"';
const yarn = (rest: string) => `a@^1.0.0:\n  version "1.0.0"\n${rest}\n`;
const cargo = (rest: string) => `[[package]]\nname = "a"\nversion = "1.0.0"\n${rest}\n`;

export const LOCKFILES: readonly TextRule<TextFacts>[] = [
  {
    id: 'lock-source',
    severity: 'runs',
    reason: 'lockfile: packages from a new address',
    find: (facts) => compare(facts, newAddresses),
    matches: [
      {
        path: 'package-lock.json',
        before: npm('1.0.0', usual),
        after: npm('1.0.0', '"resolved":"https://evil.test/a.tgz"'),
      },
      {
        path: 'package-lock.json',
        before: '{}',
        after: npm('1.0.0', '"resolved":"git+ssh://git@github.com/o/a.git#1"'),
      },
      { path: 'package-lock.json', before: '{}', after: npm('1.0.0', '"resolved":"file:../a"') },
      {
        path: 'package-lock.json',
        before: npm('1.0.0', usual),
        after: npm('1.0.0', usual.replace('https', 'http')),
      },
      { path: 'yarn.lock', before: '', after: yarn('  resolved "https://evil.test/a.tgz#1"') },
      {
        path: 'pnpm-lock.yaml',
        before: '',
        after: '  a@1.0.0:\n    resolution: {tarball: https://evil.test/a.tgz}\n',
      },
      { path: 'Cargo.lock', before: '', after: cargo('source = "git+https://evil.test/a#1"') },
      {
        path: 'poetry.lock',
        before: '',
        after: cargo('[package.source]\ntype = "git"\nurl = "https://evil.test/a"'),
      },
      { path: 'uv.lock', before: '', after: cargo('source = { registry = "https://evil.test/simple" }') },
      { path: 'Gemfile.lock', before: '', after: 'GIT\n  remote: https://evil.test/a.git\n' },
      {
        path: 'composer.lock',
        before: '{}',
        after: '{"packages":[{"name":"a","version":"1","dist":{"url":"https://evil.test/a.zip"}}]}',
      },
    ],
    not: [
      { path: 'package-lock.json', before: npm('0.9.0', usual), after: npm('1.0.0', usual) },
      {
        path: 'yarn.lock',
        before: yarn('  resolved "https://registry.test/b"'),
        after: yarn('  resolved "https://registry.test/a"'),
      },
      { path: 'Cargo.lock', before: '', after: cargo('dependencies = []') },
      {
        path: 'package-lock.json',
        before: npm('1.0.0', '"resolved":"https://own.test/a.tgz"'),
        after: npm('1.0.1', '"resolved":"https://own.test/a-1.0.1.tgz"'),
      },
      { path: 'data.json', after: npm('1.0.0', '"resolved":"https://evil.test/a.tgz"') },
    ],
  },
  {
    id: 'lock-integrity',
    severity: 'runs',
    reason: 'lockfile: other bytes for the same version',
    find: (facts) => compare(facts, changedDigests),
    matches: [
      {
        path: 'package-lock.json',
        before: npm('1.0.0', '"integrity":"sha512-a"'),
        after: npm('1.0.0', '"integrity":"sha512-b"'),
      },
      { path: 'yarn.lock', before: yarn('  integrity sha512-a'), after: yarn('  integrity sha512-b') },
      {
        path: 'pnpm-lock.yaml',
        before: '  a@1.0.0:\n    resolution: {integrity: sha512-a}\n',
        after: '  a@1.0.0:\n    resolution: {integrity: sha512-b}\n',
      },
      { path: 'Cargo.lock', before: cargo('checksum = "aa"'), after: cargo('checksum = "bb"') },
      { path: 'go.sum', before: 'm v1.0.0 h1:a=\n', after: 'm v1.0.0 h1:b=\n' },
      {
        path: 'bun.lock',
        before: '    "a": ["a@1.0.0", "", {}, "sha512-a"],\n',
        after: '    "a": ["a@1.0.0", "", {}, "sha512-b"],\n',
      },
      {
        path: 'Gemfile.lock',
        before: 'CHECKSUMS\n  a (1.0) sha256=a\n',
        after: 'CHECKSUMS\n  a (1.0) sha256=b\n',
      },
    ],
    not: [
      {
        path: 'package-lock.json',
        before: npm('1.0.0', '"integrity":"sha512-a"'),
        after: npm('1.0.1', '"integrity":"sha512-b"'),
      },
      { path: 'go.sum', before: 'm v1.0.0 h1:a=\n', after: 'm v1.0.0 h1:a=\nm v1.0.1 h1:b=\n' },
    ],
  },
  {
    id: 'lock-unchecked',
    severity: 'runs',
    reason: 'lockfile: packages lose their digests',
    find: (facts) => compare(facts, lostDigests),
    matches: [
      {
        path: 'package-lock.json',
        before: npm('1.0.0', '"integrity":"sha512-a"'),
        after: npm('1.0.0', usual),
      },
      {
        path: 'Cargo.lock',
        before: cargo('checksum = "aa"'),
        after: cargo('source = "registry+https://index.test/"'),
      },
    ],
    not: [{ path: 'package-lock.json', before: npm('1.0.0', '"integrity":"sha512-a"'), after: '{}' }],
  },
  {
    id: 'lock-unreadable',
    severity: 'deceives',
    reason: 'lockfile that can not be read as such',
    find: ({ name, after }) =>
      isKnownLock(name) &&
      (after.length > MOST_BYTES || (after.length > 0 && readLock(name, textOf(after)) === undefined)),
    matches: [{ path: 'package-lock.json', after: '{' }],
    not: [
      { path: 'package-lock.json', after: '{}' },
      { path: 'yarn.lock', after: '# yarn' },
    ],
  },
];

/** Both sides read once for all rules of one file. */
const READ = new WeakMap<TextFacts, readonly [LockEntries, LockEntries] | undefined>();

function compare(facts: TextFacts, judge: (old: LockEntries, now: LockEntries) => string[]): string[] {
  if (!isKnownLock(facts.name)) return [];
  if (!READ.has(facts)) READ.set(facts, readBoth(facts));
  const both = READ.get(facts);
  return both === undefined ? [] : judge(...both);
}

function readBoth({
  name,
  change,
  before,
  after,
}: TextFacts): readonly [LockEntries, LockEntries] | undefined {
  if (after.length > MOST_BYTES || (before?.length ?? 0) > MOST_BYTES) return undefined;
  const now = readLock(name, textOf(after));
  if (now === undefined) return undefined;
  const oldName = foldPath(change.from ?? change.path);
  const old = before && readLock(oldName.slice(oldName.lastIndexOf('/') + 1), textOf(before));
  return [old ?? new Map(), now];
}

/** Which registry is the right one nobody can tell from here: what is new is named, and a person knows it or not. */
function newAddresses(old: LockEntries, now: LockEntries): string[] {
  const known = new Set([...old.values()].flatMap(({ sources }) => sources.map(placeOf)));
  const found = new Set<string>();
  for (const { sources } of now.values()) {
    for (const source of sources) {
      const place = placeOf(source);
      if (!known.has(place)) found.add(place);
    }
  }
  return found.size > 0 ? [`lockfile: packages from a new address: ${showNames([...found])}`] : [];
}

/** Scheme and host; the source itself where it has no host. For a repository its path belongs to it. */
function placeOf(source: string): string {
  const found =
    /^(?:registry\+|sparse\+)?((?:git\+)?[\w.-]{1,20}:)\/\/(?:[^\s/@]{0,200}@)?([^\s/?#]{0,300})([^\s?#]{0,300})/.exec(
      source,
    );
  if (found === null) return source.replace(/#.*$/s, '').slice(0, 300);
  const [, scheme = '', host = '', path = ''] = found;
  const isRepository =
    /^git|^ssh/.test(scheme) ||
    /\.git$/.test(path) ||
    /^(?:github\.com|gitlab\.com|codeload\.github\.com|api\.github\.com)$/.test(host);
  return `${scheme}//${host.toLowerCase()}${isRepository ? path : ''}`;
}

function changedDigests(old: LockEntries, now: LockEntries): string[] {
  const names = [...now].filter(([key, { digest }]) => {
    const was = old.get(key)?.digest ?? '';
    return was !== '' && digest !== '' && !isContained(digest, was) && !isContained(was, digest);
  });
  return names.length > 0
    ? [`lockfile: other bytes for the same version of ${showNames(names.map(([key]) => key))}`]
    : [];
}

/** A further digest beside the old ones (another platform's file, another function) contradicts nothing. */
function isContained(part: string, whole: string): boolean {
  const all = new Set(whole.split(' '));
  return part.split(' ').every((each) => all.has(each));
}

function lostDigests(old: LockEntries, now: LockEntries): string[] {
  const names = [...now].filter(([key, { digest }]) => digest === '' && (old.get(key)?.digest ?? '') !== '');
  return names.length > 0 ? [`lockfile: no digest any more for ${showNames(names.map(([key]) => key))}`] : [];
}
