/**
 * Applies 1,000 changed, added and deleted files, journaled and synced, and compares with `cp -a` of the new files
 * to an empty folder followed by `sync` of that file system. Prints one JSON object: medians in milliseconds of some rounds, and their ratio.
 *
 *   node bench/apply.ts [rounds]
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { applyPlan } from '../src/apply/apply.ts';
import { undo } from '../src/apply/undo.ts';
import type { HostPath, RelPath } from '../src/base/path-bytes.ts';
import type { PlanItem } from '../src/review/apply-plan.ts';
import { median } from './figure.ts';

const FILES = 1000;
const rounds = Number(process.argv[2] ?? 5);
const blobs = new Map<string, Buffer>();

function content(seed: string): Buffer {
  return Buffer.from(`${seed}\n`.repeat(Math.ceil(5000 / (seed.length + 1))));
}

function stateOf(bytes: Buffer) {
  const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  blobs.set(oid, bytes);
  return { mode: '100644' as const, oid, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Of 1,000 files 700 change, 200 come and 100 go. */
function makePlan(): { before: Map<string, Buffer>; after: Map<string, Buffer>; items: PlanItem[] } {
  const before = new Map<string, Buffer>();
  const after = new Map<string, Buffer>();
  const items: PlanItem[] = [];
  for (let n = 0; n < FILES; n++) {
    const path = `src/part-${n % 50}/file-${n}.ts`;
    const item: PlanItem = { path: path as RelPath };
    if (n % 10 < 8) {
      before.set(path, content(`old ${n}`));
      item.before = stateOf(content(`old ${n}`));
    }
    if (n % 10 > 0) {
      after.set(path, content(`new ${n}`));
      item.after = stateOf(content(`new ${n}`));
    }
    items.push(item);
  }
  return { before, after, items };
}

function writeAll(root: string, files: Map<string, Buffer>): void {
  for (const [path, bytes] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
}

function run(command: string, ...args: string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} failed: ${stderr}`);
}

async function timed(act: () => unknown): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

const plan = makePlan();
const times: Record<'copy' | 'apply' | 'undo', number[]> = { copy: [], apply: [], undo: [] };
for (let round = 0; round < rounds; round++) {
  const folder = mkdtempSync(join(tmpdir(), 'sc-bench-apply-'));
  try {
    const [source, target, root] = ['source', 'target', 'project'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    for (const path of [source, target, root]) mkdirSync(path);
    writeAll(source, plan.after);
    writeAll(root, plan.before);
    run('sync');
    times.copy.push(
      await timed(() => {
        run('cp', '-a', `${source}/.`, target);
        run('sync', '-f', target);
      }),
    );
    const options = { root: root as HostPath, stateDir: join(folder, 'state') as HostPath, session: 'bench' };
    const readBlob = async (oid: string) => blobs.get(oid) ?? Buffer.alloc(0);
    times.apply.push(await timed(() => applyPlan({ ...options, plan, readBlob, objectFormat: 'sha1' })));
    times.undo.push(await timed(() => undo(options)));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [copyMs, applyMs, undoMs] = [median(times.copy), median(times.apply), median(times.undo)];
console.log(
  JSON.stringify({
    bench: 'apply',
    files: FILES,
    rounds,
    copyMs: Math.round(copyMs),
    applyMs: Math.round(applyMs),
    undoMs: Math.round(undoMs),
    ratio: Number((applyMs / copyMs).toFixed(2)),
    target: 3,
  }),
);
