import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import { HEAD_REF } from '../../../src/ledger/layout.ts';
import { openLedger } from '../../../src/ledger/reader.ts';
import { createLedger, openLedgerWriter } from '../../../src/ledger/writer.ts';
import { temporaryFolder } from '../../support/temp.ts';
import { commitInitial, git, makeLedger, toolCall } from './fixture.ts';

const SCRIPT = fileURLToPath(new URL('./keep-appending.ts', import.meta.url));

/** Starts a process that appends entries without end and says each one's number once it is on the disk. */
function startAppending(dir: string): { pid: number; said: () => number; gone: Promise<void> } {
  const child = spawn(process.execPath, [SCRIPT, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    const last = chunk.toString().trim().split('\n').at(-1);
    said = Number(last);
  });
  const gone = new Promise<void>((resolve) => child.on('close', () => resolve()));
  return { pid: child.pid ?? 0, said: () => said, gone };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

describe('a writer that is killed', () => {
  it('leaves a valid chain with every entry it reported, and the next writer goes on', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1', 'b/c': '2' });
    await writer[Symbol.asyncDispose]();
    for (let round = 0; round < 10; round++) {
      const child = startAppending(writer.dir);
      // A different number of entries each time, so that the kill meets different steps.
      const target = (await countEntries(writer.dir)) + 1 + round;
      await until(() => child.said() >= target);
      const reported = child.said();
      process.kill(child.pid, 'SIGKILL');
      await child.gone;
      await using reader = await openLedger(writer.dir);
      const verdict = await reader.verify();
      expect(verdict.faults).toEqual([]);
      expect(verdict.entries).toBeGreaterThanOrEqual(reported);
      expect(git(writer.dir, 'fsck', '--strict', '--no-dangling')).toBe('');
    }
    await using next = await openLedgerWriter(writer.dir, { sync: false });
    const entry = await next.append(toolCall(next, { after: 'x' }));
    expect(entry.trailers.seq).toBe(await countEntries(writer.dir));
    expect(leftovers(writer.dir)).toEqual([`writer.${process.pid}`]);
  });
});

async function countEntries(dir: HostPath): Promise<number> {
  await using reader = await openLedger(dir);
  return (await reader.entries()).length;
}

function leftovers(dir: string): string[] {
  return readdirSync(dir, { recursive: true })
    .map(String)
    .filter((name) => /tmp_|\.lock$|writer\./.test(name))
    .map((name) => name.replace(/^(writer\.\d+)\..*$/, '$1'));
}

describe('what a killed writer left', () => {
  it('is swept by the next one: temporary files, a ref lock, a pack without its index', async () => {
    const writer = await makeLedger();
    const first = await commitInitial(writer, { a: '1' });
    await writer[Symbol.asyncDispose]();
    const pack = join(writer.dir, 'objects/pack');
    writeFileSync(join(pack, 'tmp_pack_0123'), 'half');
    writeFileSync(join(pack, 'tmp_idx_0123'), 'half');
    writeFileSync(join(pack, `pack-${'0'.repeat(40)}.pack`), 'no index');
    writeFileSync(join(writer.dir, `${HEAD_REF}.lock`), 'half');
    writeFileSync(join(writer.dir, 'writer.999999999.1.00000000'), '');
    await using next = await openLedgerWriter(writer.dir, { sync: false });
    expect(leftovers(writer.dir)).toEqual([`writer.${process.pid}`]);
    expect(existsSync(join(pack, `pack-${'0'.repeat(40)}.pack`))).toBe(false);
    expect((await next.append(toolCall(next, {}))).parent).toBe(first.id);
  });
});

describe('one writer at a time', () => {
  it('makes a second one in the same process wait', async () => {
    const writer = await makeLedger();
    await expect(openLedgerWriter(writer.dir)).rejects.toMatchObject({ code: 'ledger/busy' });
    await writer[Symbol.asyncDispose]();
    await using second = await openLedgerWriter(writer.dir, { sync: false });
    expect(second.session).toBe('s-1');
  });

  it('makes one in another process wait, until that process is gone', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    await writer[Symbol.asyncDispose]();
    const child = startAppending(writer.dir);
    await until(() => child.said() > 0);
    await expect(openLedgerWriter(writer.dir)).rejects.toMatchObject({
      code: 'ledger/busy',
      details: { pid: child.pid },
    });
    process.kill(child.pid, 'SIGKILL');
    await child.gone;
    await using next = await openLedgerWriter(writer.dir, { sync: false });
    expect((await next.verify()).ok).toBe(true);
  });

  it('is not fooled by a process that got the same number later', async () => {
    const writer = await makeLedger();
    await writer[Symbol.asyncDispose]();
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
    writeFileSync(join(writer.dir, `writer.${process.ppid}.1.${boot}`), '');
    await using next = await openLedgerWriter(writer.dir, { sync: false });
    expect(leftovers(next.dir)).toEqual([`writer.${process.pid}`]);
  });

  it('lets others read meanwhile, and they see each entry once it is written', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    await using reader = await openLedger(writer.dir);
    expect((await reader.entries()).length).toBe(1);
    const entry = await writer.append(toolCall(writer, { a: '2' }));
    expect(await reader.head()).toEqual(entry);
    const files = await reader.files(entry.tree);
    expect((await reader.readBlob(files.get('a' as RelPath)?.oid ?? '')).toString()).toBe('2');
  });

  it('refuses to write when somebody else has moved the head', async () => {
    const writer = await makeLedger();
    const first = await commitInitial(writer, { a: '1' });
    await writer.append(toolCall(writer, { a: '2' }));
    writeFileSync(join(writer.dir, HEAD_REF), `${first.id}\n`);
    await expect(writer.append(toolCall(writer, { a: '3' }))).rejects.toMatchObject({
      code: 'ledger/damaged',
    });
    expect((await writer.head()).id).toBe(first.id);
  });
});

/** A 4 MB disk of its own, or undefined where this process may not mount one. */
function mountSmallDisk(): HostPath | undefined {
  const mount = join(temporaryFolder(), 'small') as HostPath;
  mkdirSync(mount);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount], { stdio: 'ignore' });
  } catch {
    // Needs privileges that not every machine gives; the test says so.
    return undefined;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', mount]));
  return mount;
}

describe('a full disk', () => {
  it('fails the entry with the mend named, and the same call works once there is room', async (context) => {
    const mount = mountSmallDisk();
    if (mount === undefined) return context.skip('mounting a small disk needs root');
    const dir = join(mount, 'ledger') as HostPath;
    await using writer = await createLedger({ dir, objectFormat: 'sha1', session: 's' });
    const first = await commitInitial(writer, { a: '1' });
    const input = toolCall(writer, { big: { mode: '100644', text: randomBytes(1_500_000) } });
    const ballast = join(mount, 'ballast');
    fill(ballast);
    const failure = await writer.append(input).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'ledger/write-failed',
      hint: expect.stringContaining('disk is full'),
    });
    expect((await writer.head()).id).toBe(first.id);
    expect((await writer.verify()).faults).toEqual([]);

    writeFileSync(ballast, '');
    const entry = await writer.append(input);
    expect(entry.parent).toBe(first.id);
    expect((await writer.verify()).faults).toEqual([]);
  });

  it('in the middle of a large file fails that file alone', async (context) => {
    const mount = mountSmallDisk();
    if (mount === undefined) return context.skip('mounting a small disk needs root');
    const dir = join(mount, 'ledger') as HostPath;
    await using writer = await createLedger({ dir, objectFormat: 'sha1', session: 's' });
    await commitInitial(writer, { a: '1' });
    const chunks = Array.from({ length: 10 }, () => randomBytes(1 << 20));
    expect(() => writer.blobSink().writeBlob(10 << 20, chunks)).toThrow(
      expect.objectContaining({ code: 'ledger/write-failed' }),
    );
    const entry = await writer.append(toolCall(writer, { b: '2' }));
    expect(entry.trailers.seq).toBe(2);
    expect((await writer.verify()).faults).toEqual([]);
  });
});

function fill(path: string): void {
  const chunk = Buffer.alloc(1 << 16);
  try {
    for (;;) writeFileSync(path, chunk, { flag: 'a' });
  } catch {
    // Full, as wanted.
  }
}

describe('the ledger on disk', () => {
  it('can be entered by its owner only', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    for (const name of ['', ...readdirSync(writer.dir, { recursive: true }).map(String)]) {
      expect([name, statSync(join(writer.dir, name)).mode & 0o077]).toEqual([name, 0]);
    }
  });

  it('is not made in a folder that holds something', async () => {
    const writer = await makeLedger();
    const again = createLedger({ dir: writer.dir, objectFormat: 'sha1', session: 's' });
    await expect(again).rejects.toMatchObject({ code: 'ledger/write-failed' });
  });
});
