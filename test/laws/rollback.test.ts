import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import type { Entry } from '../../src/ledger/ledger.ts';
import { createLedger } from '../../src/ledger/writer.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { EntryRecorder } from '../../src/session/entry-recorder.ts';
import { restoreTree } from '../../src/session/restore-tree.ts';
import { hold, timeFor } from '../support/law.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { inShell, runCommand, treeSource } from '../support/random-sandbox.ts';
import { demoBackend } from '../support/random-session.ts';
import { type Names, operationOf, type RandomTree, treeOf } from '../support/random-tree.ts';
import { contentsOf, contentsOfLedger, walk } from '../support/tree-on-disk.ts';
import { storeTree } from '../support/two-trees.ts';

const LIMITS = { runs: 25, limitMs: 6_000 };

/** Plays a history of commands, an entry for each, and hands over what is needed to go back in it. */
async function withHistory(
  base: RandomTree,
  commands: readonly string[],
  use: (history: {
    entries: Entry[];
    goBack: (to: Entry) => Promise<Entry>;
    contents: (entry: Entry) => Promise<Map<string, string>>;
    workspace: string;
  }) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sc-law-')) as HostPath;
  try {
    await using ledger = await createLedger({
      dir: join(folder, 'ledger') as HostPath,
      objectFormat: 'sha1',
      session: 'law',
      sync: false,
    });
    const files = storeTree(ledger, base);
    const facts = { at: new Date(), turn: 0, skipped: [], ignored: 0, gitChanged: false };
    const entries = [
      await ledger.commitInitial({ ...facts, title: 'Initial snapshot - Safe Coder VM', files }),
    ];
    await using sandbox = await openSandbox({
      backend: demoBackend(),
      spec: plainSpec(folder, `law-${process.pid}`),
      source: treeSource(base),
      signal: new AbortController().signal,
      emit: () => undefined,
    });
    const recorder = new EntryRecorder(sandbox, ledger, () => new Date());
    for (const command of commands) {
      await runCommand(sandbox, command);
      const call = { title: 'Agent executed: bash', kind: 'tool' as const, turn: 1 };
      entries.push((await recorder.record(call, { sweep: false })).entry);
    }
    const goBack = async (to: Entry) => {
      const back = {
        title: `Rollback to #${to.trailers.seq}`,
        kind: 'rollback' as const,
        turn: 1,
        to: to.id,
      };
      return (await restoreTree({ sandbox, recorder, ledger }, to.tree, back)).entry;
    };
    const contents = async (entry: Entry) => contentsOfLedger(await ledger.files(entry.tree));
    await use({ entries, goBack, contents, workspace: sandbox.workspace });
    expect((await ledger.verify()).faults).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

const piece = (names: Names) =>
  fc.record({
    base: treeOf(names),
    operations: fc.array(operationOf(names), { minLength: 1, maxLength: 8 }),
    targets: fc.array(fc.nat({ max: 100 }), { minLength: 1, maxLength: 3 }),
  });

describe('a rollback over any history', { timeout: timeFor(LIMITS) }, () => {
  it.each(['tame', 'hostile'] as const)(
    'with %s names makes workspace and ledger what they were at that entry, and can be rolled back itself',
    async (names) => {
      const law = fc.asyncProperty(piece(names), async ({ base, operations, targets }) => {
        const { tree, commands } = inShell(base, operations);
        await withHistory(base, commands, async ({ entries, goBack, contents, workspace }) => {
          expect(walk(workspace)).toEqual(contentsOf(tree));
          for (const pick of targets) {
            const target = entries[pick % entries.length];
            if (target === undefined) throw new Error('there is always the initial entry');
            const entry = await goBack(target);
            entries.push(entry);
            expect(entry.tree).toBe(target.tree);
            expect(entry.trailers).toMatchObject({ kind: 'rollback', to: target.id });
            expect(walk(workspace)).toEqual(await contents(target));
          }
          const last = entries[commands.length];
          if (last !== undefined) await goBack(last);
          expect(walk(workspace), 'the rollbacks can be taken back').toEqual(contentsOf(tree));
        });
      });
      await hold(`rollback to N is the tree of N, ${names} names`, law, LIMITS);
    },
  );
});
