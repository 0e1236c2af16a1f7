import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import { HEAD_REF } from '../../../src/ledger/layout.ts';
import { openLedger } from '../../../src/ledger/reader.ts';
import { openLedgerWriter } from '../../../src/ledger/writer.ts';
import { commitInitial, git, makeLedger, store, toolCall } from './fixture.ts';

describe.each(['sha1', 'sha256'] as const)('a ledger in %s', (format) => {
  it('holds the initial files and every later state, and git finds no fault in it', async () => {
    const writer = await makeLedger(format);
    const first = await commitInitial(writer, {
      'a.txt': 'one\n',
      'src/deep/b.ts': 'two\n',
      'src/run.sh': { mode: '100755', text: '#!/bin/sh\n' },
      link: { mode: '120000', text: 'a.txt' },
    });
    const second = await writer.append(
      toolCall(writer, { 'src/deep/b.ts': 'changed\n', 'new/c': 'three' }, { removed: ['a.txt' as RelPath] }),
    );

    expect(second.parent).toBe(first.id);
    expect([first.trailers.seq, second.trailers.seq]).toEqual([1, 2]);
    const files = await writer.files(second.tree);
    expect([...files.keys()].sort()).toEqual(['link', 'new/c', 'src/deep/b.ts', 'src/run.sh']);
    expect((await writer.readBlob(files.get('new/c' as RelPath)?.oid ?? '')).toString()).toBe('three');
    expect(await writer.verify()).toMatchObject({ ok: true, entries: 2, faults: [] });

    expect(git(writer.dir, 'fsck', '--strict', '--full', '--no-dangling')).toBe('');
    expect(git(writer.dir, 'ls-tree', '-r', '--name-only', HEAD_REF).trim().split('\n')).toEqual([
      'link',
      'new/c',
      'src/deep/b.ts',
      'src/run.sh',
    ]);
    expect(git(writer.dir, 'show', `${HEAD_REF}:src/deep/b.ts`)).toBe('changed\n');
    expect(git(writer.dir, 'log', '--format=%s', HEAD_REF).trim().split('\n')).toEqual([
      'Agent executed: bash',
      'Initial snapshot - Safe Coder VM',
    ]);
  });

  it('reads the same after it was closed and opened again', async () => {
    const writer = await makeLedger(format);
    await commitInitial(writer, { 'a/one': '1', 'b/two': '2' });
    await writer.append(toolCall(writer, { 'a/one': '11' }));
    await writer[Symbol.asyncDispose]();

    await using again = await openLedgerWriter(writer.dir, { sync: false });
    const third = await again.append(toolCall(again, { 'b/three': '3' }, { removed: ['a/one' as RelPath] }));
    await using reader = await openLedger(writer.dir);
    const entries = await reader.entries();
    expect(entries.map((entry) => entry.trailers.seq)).toEqual([1, 2, 3]);
    expect(await reader.head()).toEqual(third);
    expect([...(await reader.files(third.tree)).keys()]).toEqual(['b/three', 'b/two']);
    expect(git(writer.dir, 'fsck', '--strict', '--no-dangling')).toBe('');
  });
});

describe('the chain', () => {
  it('gets an entry also when nothing changed', async () => {
    const writer = await makeLedger();
    const first = await commitInitial(writer, { a: '1' });
    const second = await writer.append(toolCall(writer, {}));
    expect(second.tree).toBe(first.tree);
    expect(second.parent).toBe(first.id);
  });

  it('keeps the order of entries that are asked for at once', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '0' });
    const calls = Array.from({ length: 10 }, (_, at) => writer.append(toolCall(writer, { a: `${at}` })));
    const entries = await Promise.all(calls);
    expect(entries.map((entry) => entry.trailers.seq)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const last = await writer.files(entries.at(-1)?.tree ?? '');
    expect((await writer.readBlob(last.get('a' as RelPath)?.oid ?? '')).toString()).toBe('9');
    expect((await writer.verify()).ok).toBe(true);
  });

  it('goes back by an entry with the tree of an earlier one, and goes on from there', async () => {
    const writer = await makeLedger();
    const first = await commitInitial(writer, { a: '1', 'src/b': '2' });
    await writer.append(toolCall(writer, { 'src/b': '3' }, { removed: ['a' as RelPath] }));
    const { written, removed, ...facts } = toolCall(writer, {}, { kind: 'rollback' });
    const back = await writer.appendTree({ ...facts, tree: first.tree, to: first.id, scope: 'files' });
    expect(back.tree).toBe(first.tree);
    expect(back.trailers).toMatchObject({ seq: 3, kind: 'rollback', to: first.id, scope: 'files' });
    expect(await writer.head()).toEqual(back);

    const next = await writer.append(toolCall(writer, { 'src/c': '4' }));
    expect([...(await writer.files(next.tree)).keys()]).toEqual(['a', 'src/b', 'src/c']);
    expect(await writer.verify()).toMatchObject({ ok: true, entries: 4, faults: [] });
    expect(git(writer.dir, 'fsck', '--strict', '--no-dangling')).toBe('');
  });

  it('refuses to go back to a tree that the ledger does not have, and stays as it is', async () => {
    const writer = await makeLedger();
    const first = await commitInitial(writer, { a: '1' });
    const blob = (await writer.files(first.tree)).get('a' as RelPath)?.oid ?? '';
    const { written, removed, ...facts } = toolCall(writer, {}, { kind: 'rollback' });
    for (const tree of ['b'.repeat(40), first.id, blob, 'HEAD'])
      await expect(writer.appendTree({ ...facts, tree })).rejects.toMatchObject({ code: 'ledger/damaged' });
    expect(await writer.head()).toEqual(first);
    expect((await writer.append(toolCall(writer, { b: '2' }))).trailers.seq).toBe(2);
  });

  it('of an empty project is an empty tree', async () => {
    const writer = await makeLedger();
    const first = await commitInitial(writer, {});
    expect((await writer.files(first.tree)).size).toBe(0);
    const second = await writer.append(toolCall(writer, { a: '1' }));
    const third = await writer.append(toolCall(writer, {}, { removed: ['a' as RelPath] }));
    expect(third.tree).toBe(first.tree);
    expect(second.tree).not.toBe(first.tree);
    expect(git(writer.dir, 'fsck', '--strict', '--no-dangling')).toBe('');
  });

  it('puts a file in the place of a folder and a folder in the place of a file', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { 'x/a': '1', 'x/b': '2', y: '3' });
    const entry = await writer.append(toolCall(writer, { x: 'file', 'y/z': 'below' }));
    expect([...(await writer.files(entry.tree)).keys()]).toEqual(['x', 'y/z']);
  });

  it('drops folders that became empty', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { 'a/b/c/d': '1', e: '2' });
    const entry = await writer.append(toolCall(writer, {}, { removed: ['a/b/c/d' as RelPath] }));
    expect(git(writer.dir, 'ls-tree', '--name-only', entry.tree)).toBe('e\n');
  });

  it('refuses a path that leads out, one that is written twice, and one below a file of the same entry', async () => {
    const writer = await makeLedger();
    const { id } = await commitInitial(writer, { a: '1' });
    const [file] = store(writer, { f: 'x' });
    const at = (path: string) => ({ path: path as RelPath, mode: '100644' as const, oid: file?.oid ?? '' });
    for (const written of [
      [at('../x')],
      [at('/x')],
      [at('x'), at('x')],
      [at('x'), at('x/y')],
      [at('a//b')],
    ]) {
      await expect(writer.append(toolCall(writer, {}, { written }))).rejects.toMatchObject({
        code: 'ledger/write-failed',
      });
    }
    expect((await writer.head()).id).toBe(id);
  });

  it('refuses an entry that names bytes nobody gave', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    const written = [{ path: 'x' as RelPath, mode: '100644' as const, oid: 'ab'.repeat(20) }];
    await expect(writer.append(toolCall(writer, {}, { written }))).rejects.toMatchObject({
      code: 'ledger/damaged',
    });
  });

  it('never gets a head that can not be read back', async () => {
    const writer = await makeLedger();
    const { id } = await commitInitial(writer, { a: '1' });
    for (const bad of [
      { at: new Date(Number.NaN) },
      { durationMs: Number.NaN },
      { turn: -1 },
      { ignored: 0.5 },
    ]) {
      await expect(writer.append(toolCall(writer, {}, bad))).rejects.toMatchObject({
        code: 'ledger/damaged',
      });
    }
    expect((await writer.head()).id).toBe(id);
    expect((await writer.append(toolCall(writer, { a: '2' }))).trailers.seq).toBe(2);
    expect((await writer.verify()).faults).toEqual([]);
  });

  it('gives the same entry to who wrote it and to who reads it', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    const entry = await writer.append(
      toolCall(
        writer,
        { a: '2' },
        {
          title: 'two\nlines',
          at: new Date('2026-01-02T03:04:05.678Z'),
          inputSha256: 'f'.repeat(64),
          exitCode: -1,
          ok: false,
          durationMs: 12.5,
          model: 'replay/x',
          job: 'j1',
          shared: ['b', 'c'],
          ignored: 3,
          gitChanged: true,
          skipped: [{ path: 'a b\n', reason: 'special', detail: 'fifo' }],
          isolation: 'vm',
          proof: '{"a": 1}',
        },
      ),
    );
    await using reader = await openLedger(writer.dir);
    expect(await reader.head()).toEqual(entry);
    expect(entry).toMatchObject({ title: 'two lines', at: new Date('2026-01-02T03:04:05Z') });
  });

  it('takes the bytes of an older entry without having them given again', async () => {
    const writer = await makeLedger();
    const first = await commitInitial(writer, { a: 'old' });
    await writer.append(toolCall(writer, { a: 'new' }));
    const old = (await writer.files(first.tree)).get('a' as RelPath);
    const written = [{ path: 'a' as RelPath, mode: '100644' as const, oid: old?.oid ?? '' }];
    const back = await writer.append(toolCall(writer, {}, { kind: 'rollback', written }));
    expect(back.tree).toBe(first.tree);
  });

  it('stores the same bytes once', async () => {
    const writer = await makeLedger();
    const big = 'x'.repeat(3_000_000);
    await commitInitial(writer, { a: big });
    const sizeOf = () => git(writer.dir, 'count-objects', '-v').match(/in-pack: (\d+)/)?.[1];
    const before = Number(sizeOf());
    await writer.append(toolCall(writer, { a: big }));
    // Only the commit is new.
    expect(Number(sizeOf())).toBe(before + 1);
  });

  it('leaves no temporary file, lock or loose object behind', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    await writer.append(toolCall(writer, { b: '2'.repeat(20_000_000) }));
    await writer[Symbol.asyncDispose]();
    const names = readdirSync(writer.dir, { recursive: true }).map(String);
    expect(names.filter((name) => /tmp_|lock|writer\.|objects\/[0-9a-f]{2}$/.test(name))).toEqual([]);
    expect(readdirSync(join(writer.dir, 'objects/pack')).length).toBe(4);
  });
});

describe('finding an entry', () => {
  it('goes by id, prefix, number and HEAD', async () => {
    const writer = await makeLedger();
    const first = await commitInitial(writer, { a: '1' });
    const second = await writer.append(toolCall(writer, { a: '2' }));
    for (const name of [second.id, second.id.slice(0, 12), '2', '#2', 'HEAD']) {
      expect((await writer.resolve(name)).id).toBe(second.id);
    }
    expect((await writer.resolve('1')).id).toBe(first.id);
    for (const name of ['3', '#9', 'zzzz', 'abc', '', '--all', `${second.id}0`]) {
      await expect(writer.resolve(name)).rejects.toMatchObject({ code: 'ledger/no-such-entry' });
    }
  });
});
