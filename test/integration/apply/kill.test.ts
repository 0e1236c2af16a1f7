import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, lstatSync, lutimesSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { applyPlan } from '../../../src/apply/apply.ts';
import { recover } from '../../../src/apply/recover.ts';
import { undo } from '../../../src/apply/undo.ts';
import { bytesOf, makeProject, oidOf, type Project, planItems, readTree, type Tree } from './fixture.ts';
import type { Orders } from './killed-child.ts';

const BEFORE: Tree = {
  'a/changed': 'one\n',
  'a/gone/file': 'gone\n',
  link: { link: 'a/changed' },
  turns: 'a file\n',
  'tree/leaf': 'a folder\n',
  tool: 'tool\n',
  untouched: 'same\n',
  merged: 'ONE\ntwo\nthree\n',
  marked: 'host\n',
};
const AFTER: Tree = {
  'a/changed': 'two\n',
  link: { link: 'tool' },
  'new/file': 'new\n',
  'turns/into/folder': 'yes\n',
  tree: 'a file now\n',
  tool: { run: 'tool\n' },
  untouched: 'same\n',
  merged: 'ONE\ntwo\nTHREE\n',
  marked: "<<<<<<< mine (the project)\nhost\n=======\nguest\n>>>>>>> theirs (the agent's)\n",
};
/** What the session began with: the host has edited two files since, which are merged and written between markers. */
const BASE: Tree = { ...BEFORE, merged: 'one\ntwo\nthree\n', marked: 'base\n' };
const GUEST: Tree = { ...AFTER, merged: 'one\ntwo\nTHREE\n', marked: 'guest\n' };
const plan = {
  items: planItems(BASE, GUEST).map((item) => ({ ...item, onConflict: 'markers' as const })),
};
const CHILD = fileURLToPath(new URL('./killed-child.ts', import.meta.url));

function startProject(): Project {
  const project = makeProject(BEFORE, BASE, GUEST);
  chmodSync(join(project.root, 'a/changed'), 0o640);
  chmodSync(join(project.root, 'a/gone'), 0o750);
  for (const path of Object.keys(BEFORE)) {
    lutimesSync(join(project.root, path), 1_100_000_000, 1_100_000_000);
  }
  return project;
}

/** Everything about a tree that going back must restore. */
function fullState(root: string): object {
  const tree = readTree(root);
  const facts = Object.keys(tree).map((path) => {
    const stat = lstatSync(join(root, path));
    return [
      path,
      stat.mode & 0o7777,
      path in BEFORE && !(path in AFTER && path !== 'untouched') ? stat.mtimeMs : 0,
    ];
  });
  return { tree, facts };
}

/** Runs an operation in a process of its own; true when it was killed before step `killAt`. */
async function runKilled(
  project: Project,
  operation: Orders['operation'],
  killAt: number | string,
): Promise<boolean> {
  const blobs = Object.fromEntries(
    [...Object.values(BASE), ...Object.values(GUEST)].map((e) => [
      oidOf(bytesOf(e)),
      bytesOf(e).toString('base64'),
    ]),
  );
  const orders: Orders = { operation, killAt, root: project.root, stateDir: project.stateDir, plan, blobs };
  const child = spawn(process.execPath, [CHILD], {
    env: { NODE_NO_WARNINGS: '1' },
    stdio: ['pipe', 'inherit', 'inherit'],
  });
  child.stdin.end(JSON.stringify(orders));
  const [code, signal] = await once(child, 'exit');
  if (signal === null && code !== 0) throw new Error(`the child failed with ${code}`);
  return signal === 'SIGKILL';
}

interface Outcome {
  isKilled: boolean;
  wasMixed: boolean;
}

/** Kills an operation before one step, recovers, and checks that the project is in one of two states, cleanly. */
async function killOnce(
  operation: 'apply' | 'undo',
  killAt: number,
  recoverKillAt?: number,
): Promise<Outcome> {
  const project = startProject();
  const start = fullState(project.root);
  if (operation === 'undo') await applyPlan({ ...project, plan });
  const isKilled = await runKilled(project, operation, killAt);
  const found = readTree(project.root);
  const isOne = (tree: Tree) =>
    [BEFORE, AFTER].some((t) => JSON.stringify(sorted(t)) === JSON.stringify(sorted(tree)));
  if (recoverKillAt !== undefined) await runKilled(project, 'recover', recoverKillAt);
  const recoveries = await recover({ stateDir: project.stateDir });
  expect(
    recoveries.flatMap((each): unknown[] => (each.outcome === 'stuck' ? [each.error] : each.conflicts)),
  ).toEqual([]);

  const end = readTree(project.root);
  expect(isOne(end), `a state between two after ${operation} was killed at step ${killAt}`).toBe(true);
  expect(readdirSync(join(project.stateDir, 'apply')).filter((name) => name.endsWith('.journal'))).toEqual(
    [],
  );
  if ('tree/leaf' in end) expect(fullState(project.root)).toEqual(start);
  else {
    await undo(project);
    expect(fullState(project.root)).toEqual(start);
  }
  return { isKilled, wasMixed: !isOne(found) };
}

function sorted(tree: Tree): [string, unknown][] {
  return Object.entries(tree).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Kills at step 0, 1, … until there is no such step; returns how many there were and how many left a mixed state. */
async function killEverywhere(
  attempt: (killAt: number) => Promise<Outcome>,
): Promise<{ kills: number; mixed: number }> {
  let [kills, mixed, next, isOver] = [0, 0, 0, false];
  const lane = async () => {
    while (!isOver) {
      const outcome = await attempt(next++);
      if (!outcome.isKilled) isOver = true;
      else kills += 1;
      if (outcome.wasMixed) mixed += 1;
    }
  };
  await Promise.all([lane(), lane()]);
  return { kills, mixed };
}

describe('a kill at any step', { timeout: 240_000 }, () => {
  it('of apply leaves the project before or after it, once recovered', async () => {
    const { kills, mixed } = await killEverywhere((killAt) => killOnce('apply', killAt));
    expect(kills).toBeGreaterThan(30);
    expect(mixed, 'the kills fell where they could hurt').toBeGreaterThan(5);
  });

  it('of undo leaves the project before or after it, once recovered', async () => {
    const { kills, mixed } = await killEverywhere((killAt) => killOnce('undo', killAt));
    expect(kills).toBeGreaterThan(30);
    expect(mixed).toBeGreaterThan(5);
  });

  it('of the recovery of a half-done apply is recovered from as well', async () => {
    const { kills } = await killEverywhere(async (recoverKillAt) => {
      const project = startProject();
      const start = fullState(project.root);
      expect(await runKilled(project, 'apply', 'commit')).toBe(true);
      const isKilled = await runKilled(project, 'recover', recoverKillAt);
      await recover({ stateDir: project.stateDir });
      expect(fullState(project.root)).toEqual(start);
      return { isKilled, wasMixed: false };
    });
    expect(kills).toBeGreaterThan(10);
  });
});
