/** An apply as one would write it without thinking of an attacker: each attack must hurt it, or it proves nothing. */
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ApplyOptions } from '../../src/apply/apply.ts';
import type { RelPath } from '../../src/base/path-bytes.ts';
import type { FileMode } from '../../src/diff/change-set.ts';
import type { PlanItem } from '../../src/review/apply-plan.ts';
import { blobsOf, bytesOf, type Entry, modeOf, oidOf, sha256Of } from '../integration/apply/fixture.ts';

export async function naiveApply({ root, plan, readBlob }: ApplyOptions): Promise<void> {
  for (const { path, after } of plan.items) {
    const file = join(root, path);
    if (after === undefined) {
      rmSync(dirname(path) === '.' ? file : dirname(file), { recursive: true, force: true });
      continue;
    }
    mkdirSync(dirname(file), { recursive: true });
    const bytes = await readBlob(after.oid);
    if (after.mode === '120000') {
      rmSync(file, { force: true });
      symlinkSync(bytes.toString(), file);
    } else {
      writeFileSync(file, bytes);
      if (after.mode !== '100644') chmodSync(file, Number.parseInt(after.mode.slice(2), 8));
    }
  }
}

/** An item that puts `entry` at any name at all, over `before` when there is one. */
export function put(path: string, entry: Entry, before?: Entry, mode?: string): PlanItem {
  const bytes = bytesOf(entry);
  return {
    path: path as RelPath,
    ...(before !== undefined && { before: { mode: modeOf(before), oid: oidOf(bytesOf(before)) } }),
    after: { mode: (mode ?? modeOf(entry)) as FileMode, oid: oidOf(bytes), sha256: sha256Of(bytes) },
  };
}

export function drop(path: string, before: Entry): PlanItem {
  return { path: path as RelPath, before: { mode: modeOf(before), oid: oidOf(bytesOf(before)) } };
}

export const EVIL = 'written by the guest\n';
/** Blobs that the items above refer to. */
export const readEvil = blobsOf({
  evil: EVIL,
  base: 'base',
  a: { link: '../out' },
  b: { link: '/etc' },
  c: { link: '../../out' },
  d: { link: '.git/hooks' },
  e: { link: 'sub/../../out' },
});
