import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashObject } from '../../../src/git/object-id.ts';
import { compareTreeEntries, encodeTree, parseTree, type TreeEntry } from '../../../src/git/tree.ts';

const oid = 'ab'.repeat(20);

describe('a tree', () => {
  it('sorts a folder as if its name ended in a slash', () => {
    const entries: TreeEntry[] = [
      { mode: '40000', name: 'a', oid },
      { mode: '100644', name: 'a.b', oid },
      { mode: '100644', name: 'a0', oid },
      { mode: '100644', name: 'a-b', oid },
      { mode: '100644', name: '\xff', oid },
    ];
    const names = entries.toSorted(compareTreeEntries).map((entry) => entry.name);
    expect(names).toEqual(['a-b', 'a.b', 'a', 'a0', '\xff']);
  });

  it('is read back as it was written', () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 8 })
      .map((bytes) =>
        Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 1 : byte))).toString('latin1'),
      );
    const entry = fc.record({
      mode: fc.constantFrom<TreeEntry['mode']>('100644', '100755', '120000', '40000'),
      name,
      oid: fc.constantFrom(oid, '00'.repeat(20), 'ff'.repeat(20)),
    });
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        expect(parseTree('sha1', encodeTree('sha1', entries))).toEqual(entries);
      }),
    );
  });

  it('of no entries has the id that git knows', () => {
    expect(hashObject('sha1', 'tree', Buffer.alloc(0))).toBe('4b825dc642cb6eb9a060e54bf8d69288fbee4904');
  });

  it('is refused when it is cut short, or holds a submodule or a path', () => {
    const whole = encodeTree('sha1', [{ mode: '100644', name: 'a', oid }]);
    for (let length = 1; length < whole.length; length++) {
      expect(() => parseTree('sha1', whole.subarray(0, length))).toThrow(/can't be read/);
    }
    for (const bad of ['160000 sub\0', '100664 x\0', '100644 a/b\0', '100644 \0']) {
      const bytes = Buffer.concat([Buffer.from(bad), Buffer.alloc(20)]);
      expect(() => parseTree('sha1', bytes)).toThrow(/can't be read/);
    }
  });
});
