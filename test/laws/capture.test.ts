import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { hold, timeFor } from '../support/law.ts';
import { blobId, MemorySink } from '../support/memory-sink.ts';
import { createOverlayBackend } from '../support/overlay-backend.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { inShell, runCommand, treeSource } from '../support/random-sandbox.ts';
import { demoBackend } from '../support/random-session.ts';
import { operationOf, type RandomTree, treeOf } from '../support/random-tree.ts';
import { contentsOf, walk } from '../support/tree-on-disk.ts';

const LIMITS = { runs: 50, limitMs: 8_000 };

/** Why overlays can't be mounted here, or undefined. */
function obstacle(): string | undefined {
  try {
    execFileSync('unshare', ['--mount', '--propagation', 'private', 'true'], { stdio: 'pipe' });
    return undefined;
  } catch {
    // Not root, or in a container that may not mount.
    return 'mounting in a namespace of its own is not allowed here';
  }
}

/** A sandbox whose captures are added up, one for each command. */
async function captured(backend: Backend, base: RandomTree, commands: readonly string[], sweepAt: number) {
  const runDir = mkdtempSync(join(tmpdir(), 'sc-law-')) as HostPath;
  let sandbox: Sandbox | undefined;
  try {
    sandbox = await openSandbox({
      backend,
      spec: plainSpec(runDir, `law-${process.pid}`),
      source: treeSource(base),
      signal: new AbortController().signal,
      emit: () => undefined,
    });
    const sink = new MemorySink();
    const states: Map<string, string>[] = [];
    let now = new Map(contentsOf(base));
    let lastWalk = '';
    for (const [at, command] of commands.entries()) {
      await runCommand(sandbox, command);
      const { written, removed } = await sandbox.capture(sink, { sweep: at === sweepAt, alsoWrote: [] });
      now = new Map(now);
      for (const path of removed) now.delete(path);
      for (const { path, mode, oid } of written) now.set(path, `${mode} ${oid}`);
      states.push(new Map([...now].sort(([a], [b]) => (a < b ? -1 : 1))));
      for (const { path, oid } of written) {
        const bytes = sink.blobs.get(oid);
        if (bytes !== undefined) expect([path, blobId(bytes)]).toEqual([path, oid]);
        else expect([...contentsOf(base).values()].some((state) => state.endsWith(oid))).toBe(true);
      }
    }
    // The demo's workspace lies on the host, an overlay's is seen from inside only.
    if (backend.name === 'demo') lastWalk = JSON.stringify([...walk(sandbox.workspace)]);
    return { states, lastWalk };
  } finally {
    await sandbox?.end();
    rmSync(runDir, { recursive: true, force: true, maxRetries: 3 });
  }
}

const reason = obstacle();

describe('capture', () => {
  it.skipIf(reason !== undefined)(
    `from an overlay's upper layer finds after each command what a full walk finds${reason === undefined ? '' : ` (${reason})`}`,
    { timeout: timeFor(LIMITS) },
    async () => {
      const piece = fc.record({
        base: treeOf('hostile'),
        operations: fc.array(operationOf('hostile'), { minLength: 1, maxLength: 10 }),
        sweepAt: fc.nat({ max: 10 }),
      });
      const law = fc.asyncProperty(piece, async ({ base, operations, sweepAt }) => {
        const { tree, commands } = inShell(base, operations);
        const overlay = await captured(createOverlayBackend(), base, commands, sweepAt);
        const full = await captured(demoBackend(), base, commands, sweepAt);
        expect(overlay.states).toEqual(full.states);
        if (commands.length === 0) return;
        expect(full.states.at(-1)).toEqual(contentsOf(tree));
        expect(full.lastWalk).toBe(JSON.stringify([...contentsOf(tree)]));
      });
      await hold('capture by overlay is capture by walk', law, LIMITS);
    },
  );
});
