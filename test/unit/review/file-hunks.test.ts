import { describe, expect, it } from 'vitest';
import { typeOfContent } from '../../../src/review/content-type.ts';
import { HunkSource } from '../../../src/review/hunk-source.ts';
import { Repository } from './fixture.ts';

describe('the hunks of a change', () => {
  it('of a symlink are its targets, of a mode or a move none', () => {
    const repository = new Repository();
    const link = (target: string) => ({ bytes: target, mode: '120000' as const });
    expect(repository.hunks(repository.change('l', link('a'), link('b')))).toEqual({
      kind: 'symlink',
      before: 'a',
      after: 'b',
    });
    expect(repository.hunks(repository.change('l', 'text', link('b')))).toEqual({
      kind: 'symlink',
      after: 'b',
    });
    expect(repository.hunks(repository.change('m', 'a', { bytes: 'a', mode: '100755' }))).toEqual({
      kind: 'mode',
    });
    expect(repository.hunks(repository.change('to', 'a', 'a', 'from'))).toEqual({ kind: 'mode' });
  });

  it('of a binary file are its sizes and types', () => {
    const repository = new Repository();
    const change = repository.change(
      'a',
      Buffer.from('\x89PNG\r\n\x1a\n\0', 'latin1'),
      Buffer.from('\xff\xfea\0', 'latin1'),
    );
    expect(repository.hunks(change)).toEqual({
      kind: 'binary',
      content: expect.stringMatching(/^[0-9a-f]{12}$/),
      before: { bytes: 9, type: 'PNG image' },
      after: { bytes: 4, type: 'UTF-16 text' },
    });
  });

  it('are read once while they are kept, and again after a failure', async () => {
    const repository = new Repository();
    const [item] = await repository.items(repository.change('a', 'a\n', 'b\n'));
    if (item === undefined) throw new Error('no item');
    let reads = 0;
    const source = new HunkSource(async (oid) => {
      reads += 1;
      if (reads === 1) throw new Error('once');
      return repository.readBlob(oid);
    });
    await expect(source.hunksOf(item)).rejects.toThrow('once');
    const [first, second] = [source.hunksOf(item), source.hunksOf(item)];
    expect(await first).toBe(await second);
    expect(await source.hunksOf(item)).toBe(await first);
    expect(reads).toBe(3);
  });
});

describe('a content type', () => {
  it.each([
    ['', 'empty'],
    ['plain', 'text'],
    ['\0\x01\x02', 'data'],
    ['GIF89a', 'GIF image'],
    ['%PDF-1.7', 'PDF document'],
    ['PK\x03\x04', 'zip archive'],
    ['\x7fELF\x02', 'ELF program'],
    [`${'\0'.repeat(257)}ustar`, 'tar archive'],
    ['RIFF\0\0\0\0WEBPVP8 ', 'WebP image'],
  ])('of %j is %s', (bytes, type) => {
    expect(typeOfContent(Buffer.from(bytes, 'latin1'))).toBe(type);
  });
});
