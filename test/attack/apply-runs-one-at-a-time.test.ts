import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import { identifyRoot } from '../../src/apply/host-root.ts';
import { StateStore } from '../../src/apply/state-store.ts';
import { delay } from '../../src/base/lifetime.ts';
import { blobsOf, makeProject, planItems, readTree, type Tree } from '../integration/apply/fixture.ts';

describe('one apply at a time writes to a project', () => {
  const start: Tree = { a: '0', b: '0' };
  const one: Tree = { a: '1', b: '1' };
  const two: Tree = { a: '2', b: '2' };

  it('also when two sessions apply at once (S30)', async () => {
    const project = makeProject(start);
    const slow = (tree: Tree) => async (oid: string) => {
      await delay(20);
      return blobsOf(tree)(oid);
    };
    const applying = [one, two].map((tree, at) =>
      applyPlan({
        ...project,
        session: `s${at}`,
        readBlob: slow(tree),
        plan: { items: planItems(start, tree) },
      }),
    );
    const outcomes = await Promise.allSettled(applying);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(outcomes.find((o) => o.status === 'rejected')).toMatchObject({ reason: { code: 'apply/busy' } });
    expect([one, two]).toContainEqual(readTree(project.root));
  });

  it('and a lock whose owner is gone does not count', async () => {
    const project = makeProject(start);
    const { dev, ino } = identifyRoot(project.root);
    new StateStore(project.stateDir);
    writeFileSync(join(project.stateDir, 'apply', `${dev}-${ino}.lock.999999999.1.00000000`), '');
    const plan = { items: planItems(start, one) };
    const result = await applyPlan({ ...project, readBlob: blobsOf(one), plan });
    expect(result.applied).toEqual(['a', 'b']);
  });
});
