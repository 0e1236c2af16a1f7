import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import type { FileMode, FileState } from '../../../src/diff/change-set.ts';
import { GIT_ENVIRONMENT, gitArguments } from '../../../src/git/git-program.ts';
import type { ObjectFormat } from '../../../src/git/object-id.ts';
import type { EntryInput } from '../../../src/ledger/ledger.ts';
import { createLedger, type LedgerWriter } from '../../../src/ledger/writer.ts';
import { temporaryFolder } from '../../support/temp.ts';

export type Files = Record<string, string | { mode: FileMode; text: string | Buffer }>;

export const AT = new Date('2026-01-02T03:04:05Z');

/** A fresh ledger that is closed when the test is over. */
export async function makeLedger(objectFormat: ObjectFormat = 'sha1'): Promise<LedgerWriter> {
  const writer = await createLedger({
    dir: join(temporaryFolder(), 'ledger') as HostPath,
    objectFormat,
    session: 's-1',
    sync: false,
  });
  onTestFinished(() => writer[Symbol.asyncDispose]());
  return writer;
}

/** Stores the bytes and says where they belong. */
export function store(writer: LedgerWriter, files: Files): { path: RelPath; mode: FileMode; oid: string }[] {
  const sink = writer.blobSink();
  return Object.entries(files).map(([path, file]) => {
    const { mode, text } = typeof file === 'string' ? { mode: '100644' as const, text: file } : file;
    const bytes = Buffer.from(text);
    return { path: path as RelPath, mode, oid: sink.writeBlob(bytes.length, [bytes]) };
  });
}

export function commitInitial(writer: LedgerWriter, files: Files) {
  const states = new Map<RelPath, FileState>(
    store(writer, files).map(({ path, mode, oid }) => [path, { mode, oid }]),
  );
  return writer.commitInitial({
    title: 'Initial snapshot - Safe Coder VM',
    at: AT,
    turn: 0,
    skipped: [],
    ignored: 0,
    gitChanged: false,
    files: states,
  });
}

/** Entry input for a tool call; `files` are stored first. */
export function toolCall(writer: LedgerWriter, files: Files, more: Partial<EntryInput> = {}): EntryInput {
  return {
    title: 'Agent executed: bash',
    at: AT,
    kind: 'tool',
    turn: 1,
    call: 'call_1',
    tool: 'bash',
    skipped: [],
    ignored: 0,
    gitChanged: false,
    written: store(writer, files),
    removed: [],
    ...more,
  };
}

/** The real git on the ledger, as an independent judge. */
export function git(dir: string, ...args: string[]): string {
  return execFileSync('git', gitArguments(dir as HostPath, args), {
    cwd: '/',
    env: { ...GIT_ENVIRONMENT },
    encoding: 'latin1',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
