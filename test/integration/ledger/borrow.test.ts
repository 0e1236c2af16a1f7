import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import type { FileState } from '../../../src/diff/change-set.ts';
import { GIT_ENVIRONMENT } from '../../../src/git/git-program.ts';
import { hashObject } from '../../../src/git/object-id.ts';
import { openLedger } from '../../../src/ledger/reader.ts';
import { type LedgerWriter, openLedgerWriter } from '../../../src/ledger/writer.ts';
import { temporaryFolder } from '../../support/temp.ts';
import { AT, git, makeLedger, toolCall } from './fixture.ts';

const TEXTS = { 'a.txt': 'first\n', 'b/c.txt': 'second\n'.repeat(200), 'b/d.txt': 'third\n' };

/** A project with a commit, and what copy-in would know about it. */
function makeProject(options: { packed: boolean; texts?: Record<string, string> }): {
  objectsDir: HostPath;
  files: Map<RelPath, FileState>;
  oids: Set<string>;
} {
  const folder = temporaryFolder();
  const run = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
      cwd: folder,
      env: { ...GIT_ENVIRONMENT },
    });
  run('init', '-q');
  mkdirSync(join(folder, 'b'));
  const texts = options.texts ?? TEXTS;
  for (const [path, text] of Object.entries(texts)) writeFileSync(join(folder, path), text);
  run('add', '-A');
  run('commit', '-qm', 'one');
  if (options.packed) run('gc', '-q');
  const files = new Map<RelPath, FileState>(
    Object.entries(texts).map(([path, text]) => [
      path as RelPath,
      { mode: '100644', oid: hashObject('sha1', 'blob', Buffer.from(text)) },
    ]),
  );
  const oids = new Set([...files.values()].map((file) => file.oid));
  return { objectsDir: join(folder, '.git/objects') as HostPath, files, oids };
}

function begin(writer: LedgerWriter, files: Map<RelPath, FileState>) {
  return writer.commitInitial({
    title: 'Initial',
    at: AT,
    turn: 0,
    skipped: [],
    ignored: 0,
    gitChanged: false,
    files,
  });
}

const alternates = (dir: string) => join(dir, 'objects/info/alternates');

function snapshotOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true })
    .map(String)
    .sort()
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs} ${statSync(join(folder, name)).size}`);
}

describe.each([{ packed: false }, { packed: true }])('borrowing from a project ($packed)', (options) => {
  it('stores no blob twice, reads it all the same, and stands alone once settled', async () => {
    const { objectsDir, files, oids } = makeProject(options);
    const before = snapshotOf(join(objectsDir, '..'));
    const writer = await makeLedger();
    const unknown = 'ab'.repeat(20);
    expect(await writer.borrowObjects({ objectsDir, oids: new Set([...oids, unknown]) })).toEqual(oids);
    const first = await begin(writer, files);
    expect(git(writer.dir, 'count-objects', '-v')).toContain('in-pack: 3');
    expect((await writer.readBlob(files.get('b/c.txt' as RelPath)?.oid ?? '')).toString()).toBe(
      TEXTS['b/c.txt'],
    );
    await writer.append(toolCall(writer, { 'a.txt': 'changed\n' }));
    expect((await writer.verify()).faults).toEqual([]);

    expect(await writer.settle()).toBe(3);
    expect(snapshotOf(join(objectsDir, '..'))).toEqual(before);
    rmSync(objectsDir, { recursive: true });
    expect(existsSync(alternates(writer.dir))).toBe(false);
    expect(await writer.settle()).toBe(0);
    await using reader = await openLedger(writer.dir);
    expect(await reader.verify()).toMatchObject({ ok: true, entries: 2, faults: [] });
    expect((await reader.files(first.tree)).size).toBe(3);
    expect(git(writer.dir, 'fsck', '--strict', '--no-dangling')).toBe('');
  });
});

describe('settling', () => {
  it('goes on where a killed one stopped', async () => {
    const { objectsDir, files, oids } = makeProject({ packed: true });
    const writer = await makeLedger();
    await writer.borrowObjects({ objectsDir, oids });
    await begin(writer, files);
    await writer.settle();
    await writer[Symbol.asyncDispose]();
    // Killed after the copy, before the loan was given up: the file is still there.
    writeFileSync(alternates(writer.dir), `${objectsDir}\n`);
    await using again = await openLedgerWriter(writer.dir, { sync: false });
    expect(await again.settle()).toBe(0);
    expect(existsSync(alternates(writer.dir))).toBe(false);
    expect((await again.verify()).ok).toBe(true);
  });

  it('takes bytes that the project no longer has from the originals, and only if they are the right ones', async () => {
    const { objectsDir, files, oids } = makeProject({ packed: false });
    const writer = await makeLedger();
    await writer.borrowObjects({ objectsDir, oids });
    await begin(writer, files);
    const lost = files.get('a.txt' as RelPath)?.oid ?? '';
    rmSync(join(objectsDir, lost.slice(0, 2), lost.slice(2)));
    await expect(writer.settle()).rejects.toMatchObject({ code: 'ledger/damaged' });
    writer.fallBackOn(async () => Buffer.from('wrong'));
    await expect(writer.settle()).rejects.toMatchObject({ code: 'ledger/damaged' });
    await expect(writer.readBlob(lost)).rejects.toMatchObject({ code: 'ledger/damaged' });
    expect(existsSync(alternates(writer.dir))).toBe(true);
    // The others are safe already.
    expect(git(writer.dir, 'count-objects', '-v')).toContain('in-pack: 5');
    writer.fallBackOn(async () => Buffer.from(TEXTS['a.txt']));
    expect((await writer.readBlob(lost)).toString()).toBe(TEXTS['a.txt']);
    expect(await writer.settle()).toBe(1);
    expect((await writer.verify()).ok).toBe(true);
  });
});

describe('a project repository that lies', () => {
  it('never gets other bytes into the ledger than those that were hashed', async () => {
    const { objectsDir, files, oids } = makeProject({ packed: false });
    const oid = files.get('a.txt' as RelPath)?.oid ?? '';
    const object = join(objectsDir, oid.slice(0, 2), oid.slice(2));
    rmSync(object);
    writeFileSync(object, deflateSync(Buffer.from('blob 5\0evil\n')));
    const writer = await makeLedger();
    const there = await writer.borrowObjects({ objectsDir, oids });
    await begin(writer, there.has(oid) ? files : new Map());
    await expect(writer.readBlob(oid)).rejects.toMatchObject({ code: 'ledger/damaged' });
    const verdict = await writer.verify();
    expect(verdict.ok).toBe(false);
    expect(verdict.faults.join()).toContain(oid);
  });

  it('with a pipe among its packs is not borrowed from', async () => {
    const { objectsDir, oids } = makeProject({ packed: true });
    execFileSync('mkfifo', [join(objectsDir, `pack/pack-${'1'.repeat(40)}.idx`)]);
    const writer = await makeLedger();
    expect(await writer.borrowObjects({ objectsDir, oids })).toEqual(new Set());
    expect(existsSync(alternates(writer.dir))).toBe(false);
  });

  it('at a path that would be read as more than one is not borrowed from', async () => {
    const { oids } = makeProject({ packed: true });
    const writer = await makeLedger();
    for (const objectsDir of ['/nowhere', 'relative', '/tmp\n/etc']) {
      expect(await writer.borrowObjects({ objectsDir: objectsDir as HostPath, oids })).toEqual(new Set());
    }
    expect(existsSync(alternates(writer.dir))).toBe(false);
    expect(readFileSync(join(writer.dir, 'HEAD'), 'utf8')).toBe('ref: refs/heads/none\n');
  });
});

describe('a loan of many objects', () => {
  const texts = Object.fromEntries(
    Array.from({ length: 300 }, (_, at) => [`f${at}`, `${'same line\n'.repeat(50)}${at}\n`]),
  );

  it.each([{ packed: false }, { packed: true }])(
    'is ended in one pack, read in process ($packed)',
    async (options) => {
      const { objectsDir, files, oids } = makeProject({ ...options, texts });
      const writer = await makeLedger();
      expect((await writer.borrowObjects({ objectsDir, oids })).size).toBe(300);
      await begin(writer, files);
      expect(await writer.settle()).toBe(300);
      expect(existsSync(alternates(writer.dir))).toBe(false);
      rmSync(objectsDir, { recursive: true });
      expect((await writer.verify()).faults).toEqual([]);
      const packs = readdirSync(join(writer.dir, 'objects/pack')).filter(
        (name) => !/^pack-[0-9a-f]+\.(pack|idx)$/.test(name),
      );
      expect(packs).toEqual([]);
      const deltas = git(writer.dir, 'cat-file', '--batch-all-objects', '--batch-check=%(deltabase)');
      expect(new Set(deltas.trim().split('\n'))).toEqual(new Set(['0'.repeat(40)]));
    },
  );

  it('is not ended by other bytes under a known id: the others are saved, and that one is named', async () => {
    const { objectsDir, files, oids } = makeProject({ packed: false, texts });
    const writer = await makeLedger();
    await writer.borrowObjects({ objectsDir, oids });
    await begin(writer, files);
    const oid = files.get('f7' as RelPath)?.oid ?? '';
    const object = join(objectsDir, oid.slice(0, 2), oid.slice(2));
    rmSync(object);
    writeFileSync(object, deflateSync(Buffer.from('blob 5\0evil\n')));
    await expect(writer.settle()).rejects.toMatchObject({ code: 'ledger/damaged' });
    expect(existsSync(alternates(writer.dir))).toBe(true);
    expect((await writer.verify()).faults.every((fault) => fault.includes(oid))).toBe(true);
    writer.fallBackOn(async () => Buffer.from(texts.f7 ?? ''));
    expect(await writer.settle()).toBe(1);
    expect((await writer.verify()).faults).toEqual([]);
  });
});
