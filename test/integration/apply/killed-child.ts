/** Runs one operation and kills itself before a given step. Started by kill.test.ts with its orders as JSON on stdin. */
import { readFileSync } from 'node:fs';
import { applyPlan } from '../../../src/apply/apply.ts';
import { recover } from '../../../src/apply/recover.ts';
import { redo, undo } from '../../../src/apply/undo.ts';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import type { ApplyPlan } from '../../../src/review/apply-plan.ts';

export interface Orders {
  operation: 'apply' | 'undo' | 'redo' | 'recover';
  /** Number or name of a step. */
  killAt: number | string;
  root: HostPath;
  stateDir: HostPath;
  plan: ApplyPlan;
  /** Base64 by blob id. */
  blobs: Record<string, string>;
}

const orders = JSON.parse(readFileSync(0, 'utf8')) as Orders;
const beforeStep = (n: number, name: string) => {
  if (n === orders.killAt || name === orders.killAt) process.kill(process.pid, 'SIGKILL');
};
const common = { root: orders.root, stateDir: orders.stateDir, session: 'session1', beforeStep };

if (orders.operation === 'apply') {
  const readBlob = async (oid: string) => Buffer.from(orders.blobs[oid] ?? '', 'base64');
  await applyPlan({ ...common, plan: orders.plan, readBlob, objectFormat: 'sha1' });
} else if (orders.operation === 'undo') await undo(common);
else if (orders.operation === 'redo') await redo(common);
else await recover({ stateDir: orders.stateDir, beforeStep });
