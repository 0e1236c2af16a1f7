import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import { GIT_ENVIRONMENT, gitArguments } from '../../../src/git/git-program.ts';
import { openLedger } from '../../../src/ledger/reader.ts';
import { commitInitial, type Files, git, makeLedger, toolCall } from './fixture.ts';

const LINES = Array.from({ length: 30 }, (_, at) => `line ${at}\n`).join('');

async function changesBetween(before: Files, after: Files, removed: string[], renames = true) {
  const writer = await makeLedger();
  const base = await commitInitial(writer, before);
  const final = await writer.append(toolCall(writer, after, { removed: removed as RelPath[] }));
  const set = await writer.changes(base.tree, final.tree, { renames });
  return set.changes.map(({ path, kind, from }) =>
    from === undefined ? `${kind} ${path}` : `${kind} ${from} ${path}`,
  );
}

describe('the change set', () => {
  it('names each kind of change, sorted by path', async () => {
    const changes = await changesBetween(
      {
        same: '1',
        content: 'old',
        gone: 'x',
        script: 'echo',
        both: 'a',
        retarget: { mode: '120000', text: 'one' },
        becomesLink: 'text',
        becomesFile: { mode: '120000', text: 'to' },
        'dir/kept': 'k',
      },
      {
        content: 'new',
        new: 'y'.repeat(50),
        script: { mode: '100755', text: 'echo' },
        both: { mode: '100755', text: 'b' },
        retarget: { mode: '120000', text: 'two' },
        becomesLink: { mode: '120000', text: 'text' },
        becomesFile: 'to',
      },
      ['gone'],
    );
    expect(changes).toEqual([
      'symlink becomesFile',
      'symlink becomesLink',
      'modified both',
      'modified content',
      'deleted gone',
      'added new',
      'symlink retarget',
      'mode script',
    ]);
  });

  it('shows a file that became a folder as both', async () => {
    expect(await changesBetween({ x: 'file' }, { 'x/y': 'other' }, ['x'])).toEqual([
      'deleted x',
      'added x/y',
    ]);
  });

  it('pairs a file that only moved, also among several of the same bytes', async () => {
    expect(
      await changesBetween({ 'a/one': LINES, 'a/two': LINES }, { 'b/two': LINES, 'b/one': LINES }, [
        'a/one',
        'a/two',
      ]),
    ).toEqual(['renamed a/one b/one', 'renamed a/two b/two']);
  });

  it('pairs a file that moved and changed a little, not one that changed more than half', async () => {
    const little = LINES.replace('line 3\n', 'other\n');
    expect(await changesBetween({ old: LINES }, { new: little }, ['old'])).toEqual(['renamed old new']);
    const much = LINES.split('\n').slice(0, 10).join('\n').padEnd(LINES.length, 'z\n');
    expect(await changesBetween({ old: LINES }, { new: much }, ['old'])).toEqual([
      'added new',
      'deleted old',
    ]);
  });

  it('pairs neither empty files nor symlinks nor files that were there before', async () => {
    expect(await changesBetween({ a: '' }, { b: '' }, ['a'])).toEqual(['deleted a', 'added b']);
    const link = { mode: '120000' as const, text: LINES };
    expect(await changesBetween({ a: link }, { b: link }, ['a'])).toEqual(['deleted a', 'added b']);
    expect(await changesBetween({ a: LINES, b: 'x' }, { b: LINES }, ['a'])).toEqual([
      'deleted a',
      'modified b',
    ]);
  });

  it('has no renames unless asked for', async () => {
    expect(await changesBetween({ a: LINES }, { b: LINES }, ['a'], false)).toEqual(['deleted a', 'added b']);
  });

  it('goes from the first tree to the last, whatever happened between', async () => {
    const writer = await makeLedger();
    const base = await commitInitial(writer, { a: '1', b: '2' });
    await writer.append(toolCall(writer, { a: 'changed', tmp: 't' }));
    const final = await writer.append(toolCall(writer, { a: '1' }, { removed: ['tmp' as RelPath] }));
    expect((await writer.changes(base.tree, final.tree, { renames: true })).changes).toEqual([]);
    expect(final.tree).toBe(base.tree);
  });

  it('agrees with a comparison of all files, and with git, for any two trees', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, {});
    const path = fc.constantFrom('a', 'b', 'd/x', 'd/y', 'd/e/z', 'a-b', 'a0', 'f/.git/config', '%25', 'ü');
    const files = fc.dictionary(path, fc.constantFrom('1', '2', '3'), { maxKeys: 8 });
    await fc.assert(
      fc.asyncProperty(files, files, async (before, after) => {
        const trees: string[] = [];
        for (const wanted of [before, after]) {
          const all = [...(await writer.files((await writer.head()).tree)).keys()];
          trees.push((await writer.append(toolCall(writer, wanted, { removed: all }))).tree);
        }
        const [base = '', final = ''] = trees;
        const { changes } = await writer.changes(base, final, { renames: false });
        const old = await writer.files(base);
        const now = await writer.files(final);
        expect([...now.keys()].sort()).toEqual(Object.keys(after).sort());
        const differing = [...new Set([...old.keys(), ...now.keys()])].filter(
          (each) => old.get(each)?.oid !== now.get(each)?.oid,
        );
        expect(changes.map((change) => change.path)).toEqual(differing.sort());
        const raw = git(writer.dir, 'diff-tree', '-r', '--no-renames', '--name-only', base, final);
        expect(raw.split('\n').filter(Boolean).length).toBe(changes.length);
      }),
      { numRuns: 25 },
    );
  });
});

describe('verifying', () => {
  it('names the object that is missing or was altered', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: 'kept' });
    const second = await writer.append(toolCall(writer, { b: 'x'.repeat(3000) }));
    await writer[Symbol.asyncDispose]();
    const oid = (await readFiles(writer.dir, second.tree)).get('b' as RelPath)?.oid ?? '';
    const folder = join(writer.dir, 'objects/pack');
    const pack = join(folder, readdirSync(folder).find((name) => holds(writer.dir, folder, name, oid)) ?? '');
    const sound = readFileSync(pack);
    const bad = Buffer.from(sound);
    bad.writeUInt8((bad[20] ?? 0) ^ 0x40, 20);
    writeFileSync(pack, bad);
    await using reader = await openLedger(writer.dir);
    const verdict = await reader.verify();
    expect(verdict.ok).toBe(false);
    expect(verdict.faults.join('\n')).toContain(oid);

    rmSync(pack);
    rmSync(pack.replace(/pack$/, 'idx'));
    await using after = await openLedger(writer.dir);
    const missing = await after.verify();
    expect(missing).toMatchObject({ ok: false, entries: 0 });
    expect(missing.faults.join('\n')).toContain(second.id);
  });

  it('notices an entry that was taken out of the chain', async () => {
    const writer = await makeLedger();
    const first = await commitInitial(writer, { a: '1' });
    await writer.append(toolCall(writer, { a: '2' }));
    const third = await writer.append(toolCall(writer, { a: '3' }));
    const raw = git(writer.dir, 'cat-file', 'commit', third.id).replace(/^parent .*$/m, `parent ${first.id}`);
    const forged = execFileSync(
      'git',
      gitArguments(writer.dir, ['hash-object', '-t', 'commit', '-w', '--stdin']),
      {
        env: { ...GIT_ENVIRONMENT },
        input: raw,
      },
    );
    writeFileSync(join(writer.dir, 'refs/safe-coder/ledger'), forged);
    await using reader = await openLedger(writer.dir);
    expect((await reader.verify()).faults).toEqual(['Entry #3 follows #1.']);
  });
});

async function readFiles(dir: Parameters<typeof openLedger>[0], tree: string) {
  await using reader = await openLedger(dir);
  return reader.files(tree);
}

function packsOf(dir: string): string[] {
  const folder = join(dir, 'objects/pack');
  const names = readdirSync(folder).filter((name) => name.endsWith('.idx'));
  return names.map((name) => join(folder, name));
}

function holds(dir: string, folder: string, name: string, oid: string): boolean {
  return (
    name.endsWith('.pack') &&
    git(dir, 'verify-pack', '-v', join(folder, name.replace(/pack$/, 'idx'))).includes(oid)
  );
}

describe('skipped paths', () => {
  it('come back all of them, however many there are', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    const skipped = Array.from({ length: 20_000 }, (_, at) => ({
      path: `deep/\n${at}`,
      reason: 'special',
      detail: 'fifo',
    }));
    const entry = await writer.append(toolCall(writer, {}, { skipped, ignored: 7 }));
    await using reader = await openLedger(writer.dir);
    const read = await reader.head();
    expect(read).toEqual(entry);
    expect(read.trailers.skipped).toEqual(skipped);
    expect(read.trailers.ignored).toBe(7);
    // The message stays short, and the list is reachable, so that no housekeeping drops it.
    expect(git(writer.dir, 'log', '-1', '--format=%B', entry.id).length).toBeLessThan(1000);
    expect(git(writer.dir, 'fsck', '--unreachable')).toBe('');
  });
});

describe('after git itself repacked the ledger', () => {
  it('everything is read all the same', async () => {
    const writer = await makeLedger();
    const text = (at: number) =>
      Array.from({ length: 300 }, (_, line) => `${line === at ? 'x' : line} same text\n`).join('');
    await commitInitial(writer, { a: text(0) });
    for (let at = 1; at < 5; at++) await writer.append(toolCall(writer, { a: text(at) }));
    git(writer.dir, 'gc', '-q', '--prune=now');
    expect(git(writer.dir, 'count-objects', '-v')).toContain('packs: 1');
    await using reader = await openLedger(writer.dir);
    expect(await reader.verify()).toMatchObject({ ok: true, entries: 5, faults: [] });
    expect(git(writer.dir, 'verify-pack', '-v', ...packsOf(writer.dir))).toContain('chain length');
    await writer.append(toolCall(writer, { b: 'more' }));
    expect(await writer.verify()).toMatchObject({ ok: true, entries: 6, faults: [] });
  });
});
