import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyPlan } from '../../src/apply/apply.ts';
import { undo } from '../../src/apply/undo.ts';
import { makeProject } from '../integration/apply/fixture.ts';
import { EVIL, naiveApply, put, readEvil } from './apply-naive.ts';

const modeOf = (root: string, name: string) => statSync(join(root, name)).mode & 0o7777;

describe('apply gives no file setuid, setgid, sticky or write-for-all permissions', () => {
  it.each(['106777', '104755', '100777', '102755'])('against the mode %s (S16)', async (mode) => {
    const make = () => ({
      ...makeProject({}),
      readBlob: readEvil,
      plan: { items: [put('x', EVIL, undefined, mode)] },
    });
    const victim = make();
    await naiveApply(victim);
    expect(modeOf(victim.root, 'x') & 0o7022, 'the attack works on a naive apply').not.toBe(0);

    const project = make();
    await applyPlan(project);
    expect(modeOf(project.root, 'x') & 0o7022).toBe(0);
    await undo(project);
  });

  it('and leaves a setuid file of the host alone', async () => {
    const project = makeProject({ tool: { run: 'base' } });
    chmodSync(join(project.root, 'tool'), 0o4755);
    const plan = { items: [put('tool', { run: EVIL }, { run: 'base' })] };
    const result = await applyPlan({ ...project, readBlob: readEvil, plan });
    expect(result.conflicts).toMatchObject([{ path: 'tool', reason: expect.stringContaining('setuid') }]);
    expect(modeOf(project.root, 'tool')).toBe(0o4755);
  });
});
