/** A workspace in a real sandbox of the demo backend, captured into a real ledger. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { HostPath, RelPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import type { SkippedPath } from '../../src/sandbox/sandbox.ts';
import { EntryRecorder } from '../../src/session/entry-recorder.ts';
import { commitInitial, makeLedger } from '../integration/ledger/fixture.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { demoBackend } from '../support/random-session.ts';
import { createProject, sourceOf } from '../support/test-project.ts';

let opened = 0;

export interface CapturedWorkspace {
  /** Where the guest's files are, on the host: the demo isolates nothing. */
  workspace: string;
  /** Runs a script in the guest to its end; throws when it fails. */
  sh(script: string): Promise<void>;
  /** Starts a script that goes on by itself; the returned function ends it. */
  start(script: string): Promise<() => Promise<void>>;
  /** Captures and commits; says what was left out. */
  snapshot(options?: { sweep: boolean }): Promise<SkippedPath[]>;
  /** A file as the last entry has it, one byte a character, or undefined. */
  read(path: string): Promise<string | undefined>;
  /** All paths of the last entry. */
  paths(): Promise<string[]>;
}

/** Everything is ended when the test is over. `parent`: where the sandbox keeps its files. */
export async function openWorkspace(parent = tmpdir()): Promise<CapturedWorkspace> {
  const runDir = mkdtempSync(join(parent, 'sc-test-')) as HostPath;
  opened += 1;
  const ledger = await makeLedger();
  await commitInitial(ledger, {});
  const sandbox = await openSandbox({
    backend: demoBackend(),
    spec: plainSpec(runDir, `attack-${process.pid}-${opened}`),
    source: sourceOf(createProject({})),
    signal: new AbortController().signal,
    emit: () => undefined,
  });
  onTestFinished(async () => {
    await sandbox.end();
    // Deeper than a path may be long, which only some programs can remove.
    rmSync(runDir, { recursive: true, force: true, maxRetries: 3 });
  });
  const recorder = new EntryRecorder(sandbox, ledger, () => new Date());
  const files = async () => ledger.files((await ledger.head()).tree);
  const exec = (script: string, onOutput: (chunk: Buffer) => void) =>
    sandbox.exec({ argv: ['sh', '-ec', script], onOutput: (chunk) => onOutput(chunk) });
  return {
    workspace: sandbox.workspace,
    async sh(script) {
      let said = '';
      const child = await exec(script, (chunk) => {
        said += chunk.toString('utf8');
      });
      const { exitCode } = await child.ended;
      if (exitCode !== 0) throw new Error(`the attack could not be made: ${said}`);
    },
    async start(script) {
      const child = await exec(script, () => undefined);
      return async () => {
        await child.signal(9);
        await child.ended;
      };
    },
    async snapshot({ sweep } = { sweep: true }) {
      const facts = { title: 'Agent executed: bash', kind: 'tool' as const, turn: 1 };
      return (await recorder.record(facts, { sweep })).capture.skipped;
    },
    async read(path) {
      const file = (await files()).get(path as RelPath);
      return file && (await ledger.readBlob(file.oid)).toString('latin1');
    },
    paths: async () => [...(await files()).keys()],
  };
}
