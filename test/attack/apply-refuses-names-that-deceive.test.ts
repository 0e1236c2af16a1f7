import { describe, expect, it } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import { makeProject, readTree, type Tree } from '../integration/apply/fixture.ts';
import { drop, EVIL, naiveApply, put, readEvil } from './apply-naive.ts';

const HOSTILE: [name: string, host: Tree, paths: string[]][] = [
  ['two names that differ by case (S19)', {}, ['README', 'readme']],
  ['a composed and a decomposed name (S20)', {}, ['caf\u00e9', 'cafe\u0301']],
  ['folders that differ by case', {}, ['Src/a', 'src/b']],
  ['a name that differs from one on the host by case', { README: 'mine' }, ['readme']],
  ['a folder that differs from one on the host by case', { 'src/a': 'mine' }, ['SRC/b']],
  ['an escape sequence (S23)', {}, ['a\x1b]0;x\x07b']],
  ['a line feed (S23)', {}, ['a\nM fake']],
  ['a name that is no UTF-8', {}, ['a\udcff']],
  ['a name of our own stage', {}, ['.safe-coder-stage-0000000000000000/o1']],
];

describe('apply refuses names that collide, deceive or belong to it', () => {
  it.each(HOSTILE)('against %s', async (_, host, paths) => {
    const make = () => ({
      ...makeProject(host),
      readBlob: readEvil,
      plan: { items: paths.map((p) => put(p, EVIL)) },
    });
    const victim = make();
    await naiveApply(victim);
    expect(readTree(victim.root), 'the attack works on a naive apply').not.toEqual(host);

    const project = make();
    const result = await applyPlan(project);
    expect(result.refused.map(({ path }) => path)).toEqual(paths);
    expect(readTree(project.root)).toEqual(host);
  });

  it('but lets a file be renamed to another case', async () => {
    const project = makeProject({ README: EVIL });
    const group = 'readme';
    const items = [
      { ...drop('README', EVIL), group },
      { ...put('readme', EVIL), group },
    ];
    const result = await applyPlan({ ...project, readBlob: readEvil, plan: { items } });
    expect(result.refused).toEqual([]);
    expect(readTree(project.root)).toEqual({ readme: EVIL });
  });
});
