import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import { undo } from '../../src/apply/undo.ts';
import { makeProject, readTree } from '../integration/apply/fixture.ts';
import { EVIL, naiveApply, put } from './apply-naive.ts';

describe('apply writes only the bytes that were reviewed', () => {
  it('against content that is exchanged after the review (S26)', async () => {
    const readBlob = async () => Buffer.from('something else\n');
    const make = () => ({ ...makeProject({}), readBlob, plan: { items: [put('x', EVIL)] } });
    const victim = make();
    await naiveApply(victim);
    expect(readFileSync(join(victim.root, 'x'), 'utf8'), 'the attack works on a naive apply').not.toBe(EVIL);

    const project = make();
    await expect(applyPlan(project)).rejects.toMatchObject({ code: 'ledger/damaged' });
    expect(readTree(project.root)).toEqual({});
  });

  it('against other bytes under the same id in the ledger', async () => {
    // A collision of SHA-1 ids: the id is right, the bytes are not those whose SHA-256 was approved.
    const item = put('x', 'the other of the pair\n');
    if (item.after) item.after.sha256 = put('x', EVIL).after?.sha256 ?? '';
    const readBlob = async () => Buffer.from('the other of the pair\n');
    const make = () => ({ ...makeProject({}), readBlob, plan: { items: [item] } });
    const victim = make();
    await naiveApply(victim);
    expect(readFileSync(join(victim.root, 'x'), 'utf8')).not.toBe(EVIL);

    const project = make();
    await expect(applyPlan(project)).rejects.toMatchObject({ code: 'ledger/damaged' });
    expect(readTree(project.root)).toEqual({});
  });

  it('and undo restores only the bytes that were kept', async () => {
    const project = makeProject({ x: 'base' });
    const plan = { items: [put('x', EVIL, 'base')] };
    await applyPlan({ ...project, plan, readBlob: async () => Buffer.from(EVIL) });
    const kept = join(project.stateDir, 'sessions/session1/apply/kept');
    for (const name of readdirSync(kept)) writeFileSync(join(kept, name), 'evil');
    await expect(undo(project)).rejects.toMatchObject({ code: 'session/damaged' });
    expect(readTree(project.root)).toEqual({ x: EVIL });
  });
});
