import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ApplyOptions, applyPlan } from '../../src/apply/apply.ts';
import { delay } from '../../src/base/lifetime.ts';
import type { PlanItem } from '../../src/review/apply-plan.ts';
import { makeProject, type Project, type Tree } from '../integration/apply/fixture.ts';
import { drop, EVIL, naiveApply, put, readEvil } from './apply-naive.ts';

interface Attack {
  name: string;
  tree: Tree;
  items: PlanItem[];
  /** What the person does after the session began. */
  meanwhile: (project: Project) => void;
  isLost: (project: Project) => boolean;
  /** Some of the plan may go ahead. */
  applied?: string[];
}

const text = (project: Project, name: string) => readFileSync(join(project.root, name), 'utf8');

const ATTACKS: Attack[] = [
  {
    name: 'an edited file (S12)',
    tree: { a: 'base' },
    items: [put('a', EVIL, 'base')],
    meanwhile: (project) => writeFileSync(join(project.root, 'a'), 'mine'),
    isLost: (project) => text(project, 'a') !== 'mine',
  },
  {
    name: 'a file created under a new name (S13)',
    tree: {},
    items: [put('new', EVIL)],
    meanwhile: (project) => writeFileSync(join(project.root, 'new'), 'mine'),
    isLost: (project) => text(project, 'new') !== 'mine',
  },
  {
    name: 'an edited file that the plan deletes',
    tree: { 'd/a': 'base' },
    items: [drop('d/a', 'base')],
    meanwhile: (project) => writeFileSync(join(project.root, 'd/a'), 'mine'),
    isLost: (project) => !existsSync(join(project.root, 'd/a')),
  },
  {
    name: 'an ignored file in a folder whose files the plan deletes (S14)',
    tree: { 'd/a': 'base' },
    items: [drop('d/a', 'base')],
    meanwhile: (project) => writeFileSync(join(project.root, 'd/.env'), 'mine'),
    isLost: (project) => !existsSync(join(project.root, 'd/.env')),
    applied: ['d/a'],
  },
  {
    name: 'an ignored file in a folder that becomes a file (S15)',
    tree: { 'd/a': 'base' },
    items: [drop('d/a', 'base'), put('d', EVIL)],
    meanwhile: (project) => writeFileSync(join(project.root, 'd/.env'), 'mine'),
    isLost: (project) => !existsSync(join(project.root, 'd/.env')),
  },
  {
    name: 'another name of the same file (S21)',
    tree: { a: 'base' },
    items: [put('a', EVIL, 'base')],
    meanwhile: (project) => linkSync(join(project.root, 'a'), join(project.folder, 'other')),
    isLost: (project) => readFileSync(join(project.folder, 'other'), 'utf8') !== 'base',
  },
];

function attack({ tree, items, meanwhile }: Attack): ApplyOptions & Project {
  const project = makeProject(tree);
  meanwhile(project);
  return { ...project, readBlob: readEvil, plan: { items } };
}

describe('apply never loses what changed on the host', () => {
  it.each(ATTACKS)('against $name', async (each) => {
    const victim = attack(each);
    await naiveApply(victim).catch(() => undefined);
    expect(each.isLost(victim), 'the attack works on a naive apply').toBe(true);

    const project = attack(each);
    const result = await applyPlan(project);
    expect(each.isLost(project)).toBe(false);
    expect(result.applied).toEqual(each.applied ?? []);
    if (!each.applied) expect(result.conflicts).toHaveLength(each.items.length);
  });

  it('and does not hang on a FIFO (S22)', async () => {
    const project = makeProject({ pipe: 'base' });
    const pipe = join(project.root, 'pipe');
    execFileSync('sh', ['-c', 'rm "$1" && mkfifo "$1"', 'sh', pipe]);
    const naive = writeFile(pipe, EVIL).then(() => 'written');
    expect(await Promise.race([naive, delay(300).then(() => 'hangs')])).toBe('hangs');
    // A reader lets the writer go.
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    await naive;
    closeSync(reader);

    const plan = { items: [put('pipe', EVIL, 'base')] };
    const result = await applyPlan({
      ...project,
      readBlob: readEvil,
      plan,
    });
    expect(result.conflicts).toMatchObject([{ path: 'pipe', reason: expect.stringContaining('FIFO') }]);
    expect(lstatSync(pipe).isFIFO()).toBe(true);
  });
});
