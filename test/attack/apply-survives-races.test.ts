import { mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it, onTestFinished } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import { isSafeCoderError } from '../../src/base/errors.ts';
import { makeProject, readTree } from '../integration/apply/fixture.ts';
import { EVIL, put, readEvil } from './apply-naive.ts';

/** Swaps `d` between a folder and a symlink to `out`, without pause, until it is ended. */
const SWAPPER = `
const { renameSync, symlinkSync, unlinkSync } = require('node:fs');
const { workerData: { d, kept, out, stop } } = require('node:worker_threads');
const flag = new Int32Array(stop);
while (Atomics.load(flag, 0) === 0) {
  try { renameSync(d, kept); symlinkSync(out, d); } catch {}
  for (let i = 0; i < 2000; i++) Atomics.load(flag, 0);
  try { unlinkSync(d); renameSync(kept, d); } catch {}
  for (let i = 0; i < 2000; i++) Atomics.load(flag, 0);
}
try { unlinkSync(d); } catch {}
try { renameSync(kept, d); } catch {}
`;

async function withSwapper(
  project: { root: string; folder: string },
  act: () => Promise<void>,
): Promise<void> {
  const stop = new SharedArrayBuffer(4);
  const d = join(project.root, 'd');
  const workerData = { d, kept: join(project.folder, 'kept'), out: join(project.folder, 'out'), stop };
  const worker = new Worker(SWAPPER, { eval: true, workerData });
  onTestFinished(async () => void (await worker.terminate()));
  try {
    await act();
  } finally {
    Atomics.store(new Int32Array(stop), 0, 1);
    await new Promise((resolve) => worker.once('exit', resolve));
  }
}

function raceProject() {
  const project = makeProject({ 'd/own': 'file' });
  mkdirSync(join(project.folder, 'out'));
  return project;
}

/** Checks the real path first, then writes: what most programs do. */
function checkThenWrite(root: string, path: string): void {
  const file = join(root, path);
  if (!`${realpathSync(dirname(file))}/`.startsWith(`${realpathSync(root)}/`)) return;
  writeFileSync(file, EVIL);
}

const DURATION_MS = 3_000;

describe('apply stays inside while folders are swapped for symlinks under it', () => {
  it('for as long as it is tried (S25)', { timeout: 60_000 }, async () => {
    const victim = raceProject();
    const escaped = () => readdirSync(join(victim.folder, 'out')).length;
    await withSwapper(victim, async () => {
      const until = Date.now() + 20_000;
      for (let n = 0; escaped() === 0 && Date.now() < until; n++) {
        try {
          checkThenWrite(victim.root, `d/${n}`);
        } catch {
          // The folder was away for a moment; the next try may hit.
        }
        if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    });
    expect(escaped(), 'the attack works on a naive apply').toBeGreaterThan(0);

    const project = raceProject();
    let written = 0;
    let tries = 0;
    await withSwapper(project, async () => {
      const until = Date.now() + DURATION_MS;
      for (; Date.now() < until; tries++) {
        const items = [0, 1, 2, 3].map((n) => put(`d/${tries}-${n}`, EVIL));
        try {
          written += (await applyPlan({ ...project, readBlob: readEvil, plan: { items } })).applied.length;
        } catch (error) {
          if (!isSafeCoderError(error, 'apply/host-changed')) throw error;
        }
      }
    });
    expect(tries).toBeGreaterThan(10);
    expect(written, 'some were written between two swaps').toBeGreaterThan(0);
    expect(readdirSync(join(project.folder, 'out'))).toEqual([]);
    expect(readdirSync(project.root)).toEqual(['d']);
  });
});

describe('an edit in the middle of an apply', () => {
  const STEPS = ['stage', 'keep b', 'look b', 'replace b', 'remove c', 'add n', 'settle', 'commit'];

  it.each(STEPS)('of the file being replaced is kept, before the step "%s"', async (when) => {
    const tree = { b: 'base', c: 'base' };
    const project = makeProject(tree);
    const items = [put('b', EVIL, 'base'), { ...put('c', EVIL, 'base'), after: undefined }, put('n', EVIL)];
    const plan = { items: items.map(({ after, ...item }) => (after ? { ...item, after } : item)) };
    let isEdited = false;
    const beforeStep = (_: number, name: string) => {
      if (name !== when || isEdited) return;
      isEdited = true;
      for (const file of ['b', 'c', 'n']) {
        // Between the last look and the rename only a write into the file can be noticed; see decision 0061.
        if (when !== 'replace b') rmSync(join(project.root, file), { force: true });
        writeFileSync(join(project.root, file), `mine ${file}`);
      }
    };
    const result = await applyPlan({ ...project, readBlob: readEvil, plan, beforeStep });
    expect(isEdited).toBe(true);
    for (const file of ['b', 'c', 'n']) {
      expect(readFileSync(join(project.root, file), 'utf8'), file).toBe(`mine ${file}`);
    }
    expect(Object.keys(readTree(project.root)).sort()).toEqual(['b', 'c', 'n']);
    const committed = when === 'settle' || when === 'commit';
    expect(result.conflicts.map(({ path }) => path)).toEqual(committed ? [] : ['b', 'c', 'n']);
  });
});
