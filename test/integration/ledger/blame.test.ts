import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import { blameFile } from '../../../src/ledger/blame.ts';
import { fileHistory } from '../../../src/ledger/file-history.ts';
import type { Entry } from '../../../src/ledger/ledger.ts';
import type { LedgerWriter } from '../../../src/ledger/writer.ts';
import { commitInitial, type Files, makeLedger, toolCall } from './fixture.ts';

const path = (name: string) => name as RelPath;
const TEN = Array.from({ length: 10 }, (_, at) => `line ${at}\n`);

/** Each line with the number of the entry that wrote it; 0 for the project's own. */
async function blamed(ledger: LedgerWriter, name: string, at?: Entry | string): Promise<[string, number][]> {
  const { lines } = await blameFile(ledger, path(name), at);
  return lines.map(({ text, entry }) => [text, entry?.trailers.seq ?? 0]);
}

const bytes = (latin1: string) => ({ mode: '100644' as const, text: Buffer.from(latin1, 'latin1') });
const step = (ledger: LedgerWriter, files: Files, removed: string[] = []) =>
  ledger.append(toolCall(ledger, files, { removed: removed.map(path) }));

describe('blame', () => {
  it('names for each line the entry that wrote it, and none for lines of the project', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, { 'src/a.ts': 'one\ntwo\nthree\n' });
    await step(ledger, { 'src/a.ts': 'one\nTWO\nthree\n' });
    await step(ledger, { 'other.ts': 'x\n' });
    await step(ledger, { 'src/a.ts': 'zero\none\nTWO\nthree\nfour' });
    expect(await blamed(ledger, 'src/a.ts')).toEqual([
      ['zero\n', 4],
      ['one\n', 0],
      ['TWO\n', 2],
      ['three\n', 0],
      ['four', 4],
    ]);
    expect(await blamed(ledger, 'other.ts')).toEqual([['x\n', 3]]);
  });

  it('tells where a line stood when it was written', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, { a: 'own\n' });
    await step(ledger, { a: 'own\nadded\n' });
    await step(ledger, { a: 'top\nown\nadded\n' });
    const { lines } = await blameFile(ledger, path('a'));
    expect(lines.map(({ path, line }) => [path, line])).toEqual([
      ['a', 1],
      ['a', 1],
      ['a', 2],
    ]);
  });

  it('answers for an earlier entry, and for a tree', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, { a: 'own\n' });
    const second = await step(ledger, { a: 'own\nsecond\n' });
    await step(ledger, { a: 'third\n' });
    expect(await blamed(ledger, 'a', second)).toEqual([
      ['own\n', 0],
      ['second\n', 2],
    ]);
    expect(await blamed(ledger, 'a', second.tree)).toEqual(await blamed(ledger, 'a', second));
    await expect(blamed(ledger, 'a', '0'.repeat(40))).rejects.toMatchObject({ code: 'ledger/no-such-entry' });
  });

  it('follows a file through its renames, also changed ones', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, { 'old name': TEN.join('') });
    await step(ledger, { 'old name': [...TEN, 'second\n'].join('') });
    await step(ledger, { 'dir/new': [...TEN, 'second\n'].join('') }, ['old name']);
    await step(ledger, { 'dir/newer': [...TEN, 'second\n', 'fourth\n'].join('') }, ['dir/new']);
    const { lines } = await blameFile(ledger, path('dir/newer'));
    expect(lines.map(({ entry }) => entry?.trailers.seq ?? 0)).toEqual([...TEN.map(() => 0), 2, 4]);
    expect(lines.map((line) => line.path)).toEqual([...[...TEN, ''].map(() => 'old name'), 'dir/newer']);
  });

  it('gives what a rollback brought back to those who wrote it', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, { a: 'own\n' });
    const second = await step(ledger, { a: 'own\nsecond\n' });
    await step(ledger, { a: 'ruined\n' });
    await ledger.append(
      toolCall(
        ledger,
        { a: 'own\nsecond\n' },
        { kind: 'rollback', title: 'Rollback', to: second.id, scope: 'files' },
      ),
    );
    await step(ledger, { a: 'own\nsecond\nfifth\n' });
    expect(await blamed(ledger, 'a')).toEqual([
      ['own\n', 0],
      ['second\n', 2],
      ['fifth\n', 5],
    ]);
  });

  it('starts a file anew that was deleted, a symlink or binary before', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, {
      gone: 'same\n',
      link: { mode: '120000', text: 'same\n' },
      data: 'same\n\0',
    });
    await step(ledger, {}, ['gone']);
    await step(ledger, { gone: 'same\n', link: 'same\n', data: 'same\n' });
    for (const name of ['gone', 'link', 'data']) expect(await blamed(ledger, name)).toEqual([['same\n', 3]]);
  });

  it('keeps carriage returns, bytes that are no UTF-8 and a last line without its end', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, { a: bytes('dos\r\n\xe9\nend') });
    await step(ledger, { a: bytes('dos\r\n\xe9\nend\r\n') });
    expect(await blamed(ledger, 'a')).toEqual([
      ['dos\r\n', 0],
      ['\xe9\n', 0],
      ['end\r\n', 2],
    ]);
  });

  it('has no answer for what is missing, binary or a symlink', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, { 'd/a': '\0', link: { mode: '120000', text: 'd/a' } });
    const blame = (name: string) => blameFile(ledger, path(name));
    await expect(blame('none')).rejects.toMatchObject({ code: 'usage/no-such-path' });
    await expect(blame('d')).rejects.toMatchObject({ code: 'usage/no-such-path' });
    await expect(blame('d/a/b')).rejects.toMatchObject({ code: 'usage/no-such-path' });
    await expect(blame('d/a')).rejects.toMatchObject({ code: 'usage/bad-argument' });
    await expect(blame('link')).rejects.toMatchObject({ code: 'usage/bad-argument' });
  });

  it('finds files by names that git would not take', async () => {
    const ledger = await makeLedger('sha256');
    const names = ['.gitattributes', 'sub/.git/config', '%41', 'ends in space ', 'space ', ' '];
    await commitInitial(ledger, { z: '' });
    await step(ledger, Object.fromEntries(names.map((name) => [name, `${name}\n`])));
    for (const name of names) expect(await blamed(ledger, name)).toEqual([[`${name}\n`, 2]]);
  });

  it('reads whole changes of no entry but the one in which the file appears', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, { a: '' });
    for (let at = 0; at < 20; at++) {
      await step(ledger, at % 4 === 3 ? { 'x/f': `${at}\n` } : { [`y/${at}`]: '' });
    }
    let compared = 0;
    const counting = {
      entries: () => ledger.entries(),
      fileAt: ledger.fileAt.bind(ledger),
      changes: (...args: Parameters<LedgerWriter['changes']>) => {
        compared += 1;
        return ledger.changes(...args);
      },
    };
    const steps: number[] = [];
    for await (const { entry } of fileHistory(counting, path('x/f'), await ledger.head()))
      steps.push(entry.trailers.seq);
    expect(steps).toEqual([21, 17, 13, 9, 5]);
    expect(compared).toBe(1);
  });
});
