import { lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import { makeProject, readTree } from '../integration/apply/fixture.ts';
import { drop, EVIL, naiveApply, put, readEvil } from './apply-naive.ts';

const HOSTILE = [
  ['a hook (S07)', [put('.git/hooks/pre-commit', { run: EVIL })]],
  ['another case (S08)', [put('.GIT/config', EVIL)]],
  ['a character that does not show (S09)', [put('.g\u200cit/config', EVIL)]],
  [
    'a symlink to the hooks, and a file through it (S10)',
    [put('g', { link: '.git/hooks' }), put('g/pre-commit', EVIL)],
  ],
  ['a submodule (S11)', [put('sub/.git/config', EVIL)]],
  ['trailing dots and spaces (S24)', [put('.git. /config', EVIL)]],
  ['a short name of NTFS', [put('git~1/config', EVIL)]],
  ['a stream of NTFS', [put('.git::$INDEX_ALLOCATION/config', EVIL)]],
  ['full-width letters', [put('\uff0egit/config', EVIL)]],
  ['.git itself as a file', [put('sub/.git', EVIL)]],
] as const;

describe('apply never writes a .git folder, at any depth, in any spelling', () => {
  it.each(HOSTILE)('against %s', async (_, items) => {
    const make = () => {
      const project = makeProject({ own: 'file', '.git/HEAD': 'ref: refs/heads/main\n' });
      mkdirSync(join(project.root, '.git/hooks'));
      return { ...project, readBlob: readEvil, plan: { items: [...items] } };
    };
    const victim = make();
    const before = readTree(victim.root);
    await naiveApply(victim).catch(() => undefined);
    expect(readTree(victim.root), 'the attack works on a naive apply').not.toEqual(before);

    const project = make();
    const result = await applyPlan(project);
    expect(result.refused.map(({ path }) => path)).toEqual(items.map(({ path }) => path));
    expect(readTree(project.root)).toEqual(before);
  });

  it('against a deletion', async () => {
    const tree = { '.git/HEAD': 'ref: refs/heads/main\n' };
    const project = makeProject(tree);
    const items = [drop('.git/HEAD', tree['.git/HEAD'])];
    const result = await applyPlan({ ...project, plan: { items } });
    expect(result.refused).toHaveLength(1);
    expect(lstatSync(join(project.root, '.git/HEAD')).isFile()).toBe(true);
  });
});
