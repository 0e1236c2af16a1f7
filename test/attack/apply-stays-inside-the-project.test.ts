import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ApplyOptions, applyPlan } from '../../src/apply/apply.ts';
import { identifyRoot } from '../../src/apply/host-root.ts';
import type { PlanItem } from '../../src/review/apply-plan.ts';
import { makeProject, type Project } from '../integration/apply/fixture.ts';
import { EVIL, naiveApply, put, readEvil } from './apply-naive.ts';

interface Attack {
  name: string;
  items: PlanItem[];
  prepare?: (project: Project) => void;
  /** True when something outside of the project was written, or a door to the outside was left in it. */
  isHurt: (project: Project) => boolean;
}

const outside = (project: Project) => join(project.folder, 'out');
const isOutsideWritten = (project: Project) => readdirSync(outside(project)).length > 0;
const isLink = (name: string) => (project: Project) =>
  lstatSync(join(project.root, name), { throwIfNoEntry: false })?.isSymbolicLink() ?? false;

const ATTACKS: Attack[] = [
  { name: 'a name that climbs out (S01)', items: [put('../out/x', EVIL)], isHurt: isOutsideWritten },
  {
    name: 'a name that begins like the project (S02)',
    items: [put('../project-evil/x', EVIL)],
    isHurt: (project) => existsSync(join(project.folder, 'project-evil/x')),
  },
  {
    name: 'an absolute name (S03)',
    items: [put('/absolute/x', EVIL)],
    isHurt: (project) => existsSync(join(project.root, 'absolute/x')),
  },
  {
    name: 'a host folder that is a symlink (S04)',
    prepare: (project) => symlinkSync(outside(project), join(project.root, 'd')),
    items: [put('d/x', EVIL)],
    isHurt: isOutsideWritten,
  },
  {
    name: 'a symlink and then a file through it (S05)',
    items: [put('d', { link: '../out' }), put('d/x', EVIL)],
    isHurt: isOutsideWritten,
  },
  {
    name: 'a host file that is a symlink (S06)',
    prepare: (project) => {
      writeFileSync(join(project.folder, 'rc'), 'precious');
      symlinkSync('../rc', join(project.root, 'rc'));
    },
    items: [put('rc', EVIL)],
    isHurt: (project) => readFileSync(join(project.folder, 'rc'), 'utf8') !== 'precious',
  },
  { name: 'a new symlink that is absolute (S17)', items: [put('l', { link: '/etc' })], isHurt: isLink('l') },
  {
    name: 'a new symlink that leads out (S18)',
    items: [put('s/l', { link: '../../out' })],
    isHurt: isLink('s/l'),
  },
  {
    name: 'a new symlink that leads out by a detour (S18)',
    items: [put('l', { link: 'sub/../../out' })],
    isHurt: isLink('l'),
  },
];

function attack({ items, prepare }: Attack): ApplyOptions & Project {
  const project = makeProject({ own: 'file' });
  mkdirSync(outside(project));
  prepare?.(project);
  return { ...project, readBlob: readEvil, plan: { items } };
}

describe('apply writes nothing outside of the project', () => {
  it.each(ATTACKS)('against $name', async (each) => {
    const victim = attack(each);
    await naiveApply(victim).catch(() => undefined);
    expect(each.isHurt(victim), 'the attack works on a naive apply').toBe(true);

    const project = attack(each);
    const result = await applyPlan(project);
    expect(each.isHurt(project)).toBe(false);
    expect(result.applied).toEqual([]);
    expect(result.conflicts.length + result.refused.length).toBe(each.items.length);
    expect(readdirSync(project.folder).sort()).not.toContain('project-evil');
  });

  it('when the project itself was replaced meanwhile (S31)', async () => {
    const replace = (project: Project) => {
      renameSync(project.root, join(project.folder, 'moved'));
      mkdirSync(outside(project));
      symlinkSync('out', project.root);
    };
    const victim = makeProject({});
    replace(victim);
    await naiveApply({ ...victim, readBlob: readEvil, plan: { items: [put('x', EVIL)] } });
    expect(isOutsideWritten(victim), 'the attack works on a naive apply').toBe(true);

    const project = makeProject({});
    const rootId = identifyRoot(project.root);
    replace(project);
    const applying = applyPlan({ ...project, rootId, readBlob: readEvil, plan: { items: [put('x', EVIL)] } });
    await expect(applying).rejects.toMatchObject({ code: 'apply/refused' });
    expect(isOutsideWritten(project)).toBe(false);
  });
});
