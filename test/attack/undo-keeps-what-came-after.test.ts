import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import { undo } from '../../src/apply/undo.ts';
import { makeProject, type Project, planItems, readTree, type Tree } from '../integration/apply/fixture.ts';

const BEFORE: Tree = { edited: 'one\n', deleted: 'there\n', same: 'same\n' };
const AFTER: Tree = { edited: 'two\n', 'new/file': 'new\n', same: 'same\n' };

interface Attack {
  name: string;
  /** What happens on the host between apply and undo. */
  happens: (root: string) => void;
  /** What must still be there afterwards. */
  isKept: (root: string) => boolean;
}

const text = (root: string, path: string) => readFileSync(join(root, path), 'utf8');

const ATTACKS: Attack[] = [
  {
    name: 'an edit of a file that was changed',
    happens: (root) => writeFileSync(join(root, 'edited'), 'by hand\n'),
    isKept: (root) => text(root, 'edited') === 'by hand\n',
  },
  {
    name: 'a file made anew where one was deleted',
    happens: (root) => writeFileSync(join(root, 'deleted'), 'by hand\n'),
    isKept: (root) => text(root, 'deleted') === 'by hand\n',
  },
  {
    name: 'an edit of a file that was added',
    happens: (root) => writeFileSync(join(root, 'new/file'), 'by hand\n'),
    isKept: (root) => existsSync(join(root, 'new/file')) && text(root, 'new/file') === 'by hand\n',
  },
  {
    name: 'a file of the user in a folder that apply made',
    happens: (root) => writeFileSync(join(root, 'new/mine'), 'mine\n'),
    isKept: (root) => existsSync(join(root, 'new/mine')),
  },
  {
    name: 'what lies behind a symlink that took the place of a file',
    happens: (root) => {
      mkdirSync(join(root, '../elsewhere'), { recursive: true });
      writeFileSync(join(root, '../elsewhere/precious'), 'precious\n');
      rmSync(join(root, 'edited'));
      symlinkSync('../elsewhere/precious', join(root, 'edited'));
    },
    isKept: (root) => text(root, '../elsewhere/precious') === 'precious\n',
  },
];

/** Puts back what was there, and takes away what was not. */
function naiveUndo(root: string): void {
  rmSync(join(root, 'new'), { recursive: true, force: true });
  for (const path of ['edited', 'deleted']) writeFileSync(join(root, path), String(BEFORE[path]));
}

async function applied({ happens }: Attack): Promise<Project> {
  const project = makeProject(BEFORE, AFTER);
  await applyPlan({ ...project, plan: { items: planItems(BEFORE, AFTER) } });
  happens(project.root);
  return project;
}

describe('undo keeps what came after apply', () => {
  it.each(ATTACKS)('such as $name', async (attack) => {
    const victim = await applied(attack);
    naiveUndo(victim.root);
    expect(attack.isKept(victim.root), 'it is lost to a naive undo').toBe(false);

    const project = await applied(attack);
    const done = await undo(project);
    expect(attack.isKept(project.root)).toBe(true);
    const left = readTree(project.root);
    for (const path of done.applied) expect([path, left[path]]).toEqual([path, BEFORE[path]]);
    expect(left.same).toBe('same\n');
  });

  it('and takes the whole back where nothing came after', async () => {
    const project = makeProject(BEFORE, AFTER);
    const start = readTree(project.root);
    await applyPlan({ ...project, plan: { items: planItems(BEFORE, AFTER) } });
    await undo(project);
    expect(readTree(project.root)).toEqual(start);
  });
});
