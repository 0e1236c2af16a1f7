/** Rules on what a change does to a path: modes, symlinks, and names that deceive. */
import { decodePath } from '../../base/path-bytes.ts';
import { foldName, isDotGit, symlinkFault } from '../apply-path.ts';
import { suspectSecret } from '../secrets.ts';
import { looksLikeAscii, mixesLookAlikes } from './look-alikes.ts';
import type { ChangeExample, ChangeRule, RiskChange, RiskContent } from './rule.ts';
import { showNames } from './shown-names.ts';

const LINK = '120000';
const PROGRAM = '100755';

const link = (after: string, path = 'link'): ChangeExample => ({ path, mode: LINK, after });

/** The targets that no symlink of a project needs, as opposed to those that apply refuses. */
function targetOf(change: RiskChange, { after }: RiskContent): string | undefined {
  return change.after?.mode === LINK && after !== undefined ? decodePath(after) : undefined;
}

/** Most paths, which many rules need not look at. */
function isPlain(path: string): boolean {
  return /^[\x20-\x7e]*$/.test(path);
}

function isInGit(path: string): boolean {
  return (!isPlain(path) || /git/i.test(path)) && path.split('/').some(isDotGit);
}

export const CHANGES: readonly ChangeRule[] = [
  {
    id: 'symlink',
    severity: 'deceives',
    reason: 'symlink',
    judge: ({ before, after }) => {
      if (after?.mode !== LINK) return false;
      return before?.mode === LINK ? 'symlink: points elsewhere now' : true;
    },
    matches: [link('src'), { path: 'link', modeBefore: LINK, before: 'a', mode: LINK, after: 'b' }],
    not: [{ path: 'a', modeBefore: LINK, before: 'src', after: 'text' }],
  },
  {
    id: 'symlink-outside',
    severity: 'leaks',
    reason: 'symlink that leads out of the project',
    judge: (change, content) => {
      const target = targetOf(change, content);
      return target !== undefined && /absolute|leaves/.test(symlinkFault(change.path, target) ?? '');
    },
    matches: [link('/etc/passwd'), link('../../x', 'a/link'), link('/')],
    not: [link('src/a.ts'), link('../b', 'a/link')],
  },
  {
    id: 'symlink-git',
    severity: 'runs',
    reason: 'symlink into a .git folder',
    judge: (change, content) => targetOf(change, content)?.split('/').some(isDotGit) ?? false,
    matches: [link('.git/hooks'), link('../.GIT', 'a/link')],
    not: [link('.github'), link('git')],
  },
  {
    id: 'symlink-secret',
    severity: 'leaks',
    reason: 'symlink to a place where secrets are kept',
    judge: (change, content) => {
      const target = targetOf(change, content);
      if (target === undefined) return false;
      return (
        suspectSecret(target).reason !== undefined || /(?:^|\/)\.(?:ssh|gnupg|aws|kube)(?:\/|$)/.test(target)
      );
    },
    matches: [link('.env'), link('../home/.ssh/config'), link('keys/id_ed25519')],
    not: [link('.env.example'), link('src')],
  },
  {
    id: 'symlink-replaces',
    severity: 'deceives',
    reason: 'a symlink takes the place of a file',
    judge: ({ before, after }) => after?.mode === LINK && before !== undefined && before.mode !== LINK,
    matches: [{ path: 'a', modeBefore: '100644', before: 'x', mode: LINK, after: 'b' }],
    not: [link('src')],
  },
  {
    id: 'new-executable',
    severity: 'runs',
    reason: 'new executable',
    judge: (change) => isNewExecutable(change) && (change.before === undefined || 'becomes executable'),
    matches: [
      { path: 'tool', mode: PROGRAM },
      { path: 'tool', modeBefore: '100644', before: 'x', mode: PROGRAM, after: 'x' },
    ],
    not: [{ path: 'tool', modeBefore: PROGRAM, before: 'x', mode: PROGRAM, after: 'x' }],
  },
  {
    id: 'no-longer-executable',
    severity: 'weakens',
    reason: 'no longer executable',
    judge: ({ before, after }) => before?.mode === PROGRAM && after?.mode === '100644',
    matches: [{ path: 'tool', modeBefore: PROGRAM, before: 'x', mode: '100644', after: 'x' }],
    not: [{ path: 'tool', modeBefore: PROGRAM, before: 'x', after: null }],
  },
  {
    id: 'inside-git',
    severity: 'runs',
    reason: 'inside a .git folder: never applied',
    judge: ({ path, from }) => isInGit(path) || (from !== undefined && isInGit(from)),
    matches: [{ path: 'a/.GIT/config' }, { path: '.git/hooks/x', after: null }, { path: 'x/.g\u200bit/a' }],
    not: [{ path: '.gitignore' }, { path: 'git/a' }],
  },
  {
    id: 'name-hidden',
    severity: 'deceives',
    reason: 'its name holds characters that do not show',
    judge: ({ path }) => !isPlain(path) && /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]/u.test(path),
    matches: [{ path: 'src/a\u200bb.ts' }, { path: 'src/x\u202egnp.ts' }],
    not: [{ path: 'src/naïve.ts' }, { path: 'with space.md' }],
  },
  {
    id: 'name-blanks',
    severity: 'deceives',
    reason: 'its name begins or ends with blanks or dots, or holds many blanks',
    judge: ({ path }) => /(?:^|\/)\s|\s(?:\/|$)|\.(?:\/|$)|\s{4}/u.test(path),
    matches: [
      { path: 'package.json ' },
      { path: 'a/ b' },
      { path: 'a.pdf      .exe' },
      { path: 'Makefile.' },
    ],
    not: [{ path: 'My Notes.md' }, { path: '.hidden/a' }],
  },
  {
    id: 'name-look-alike',
    severity: 'deceives',
    reason: 'its name mixes look-alike letters of several scripts',
    judge: ({ path }) => {
      if (isPlain(path)) return false;
      if (mixesLookAlikes(path)) return true;
      const twin = path
        .split('/')
        .map(looksLikeAscii)
        .find((name) => name !== undefined);
      return twin === undefined ? false : `its name reads like ${showNames([twin])} and is not`;
    },
    matches: [{ path: 'src/p\u0430yment.ts' }, { path: 'src/\u0441\u043e\u0440\u0443.ts' }],
    not: [{ path: 'Документы/план.md' }, { path: 'src/café.ts' }, { path: '日本語.txt' }],
  },
  {
    id: 'name-wide',
    severity: 'deceives',
    reason: 'its name is spelled with letters that some file systems take for others',
    judge: ({ path }) => {
      if (isPlain(path)) return false;
      const seen = path.replace(/[\p{C}\p{Default_Ignorable_Code_Point}\p{M}]/gu, '');
      return /[^\0-\x7f]/.test(seen) && /^[\x20-\x7e]*$/.test(foldName(seen));
    },
    matches: [{ path: 'ｐackage.json' }, { path: 'Ma\u212aefile' }],
    not: [{ path: 'größe.txt' }, { path: 'src/a.ts' }],
  },
  {
    id: 'test-deleted',
    severity: 'weakens',
    reason: 'a test is deleted',
    judge: ({ path, after }) => after === undefined && isTest(path),
    matches: [
      { path: 'test/a.test.ts', after: null },
      { path: 'pkg/foo_test.go', after: null },
    ],
    not: [
      { path: 'src/a.ts', after: null },
      { path: 'test/a.test.ts' },
      { path: 'latest/a.ts', after: null },
    ],
  },
];

const TEST_FILE =
  /(?:^|[/._-])(?:tests?|specs?|__tests__|e2e)[/._-][^/]*$|(?:^|\/)(?:tests?|specs?|__tests__|e2e)\/|(?:test|tests|spec)\.(?:java|kt|cs|php|swift|scala)$/i;

/** Whether a path is that of a test, by the customs of the usual runners. */
export function isTest(path: string): boolean {
  return TEST_FILE.test(path);
}

export function isNewExecutable({ before, after }: RiskChange): boolean {
  return after?.mode === PROGRAM && before?.mode !== PROGRAM;
}
