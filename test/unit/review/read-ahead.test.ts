import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import type { Change } from '../../../src/diff/change-set.ts';
import { readAhead } from '../../../src/review/read-sides.ts';

const added = (at: number): Change => ({
  path: `file${at}` as RelPath,
  kind: 'added',
  after: { mode: '100644', oid: String(at) },
});
const changes = Array.from({ length: 100 }, (_, at) => added(at));

describe('readAhead', () => {
  it('gives every change its own bytes, in order, whichever come first', async () => {
    const readBlob = async (oid: string) => {
      if (Number(oid) % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      return Buffer.from(oid);
    };
    const seen: string[] = [];
    for await (const { change, bytes } of readAhead(changes, readBlob)) {
      expect(bytes.after?.toString()).toBe(change.after?.oid);
      seen.push(change.path);
    }
    expect(seen).toEqual(changes.map(({ path }) => path));
  });

  it('asks for a few ahead, never for all', async () => {
    const most = async () => {
      let asked = 0;
      let seen = 0;
      let ahead = 0;
      const readBlob = async () => {
        asked += 1;
        return Buffer.alloc(1);
      };
      for await (const _ of readAhead(changes, readBlob)) {
        await new Promise((resolve) => setImmediate(resolve));
        seen += 1;
        ahead = Math.max(ahead, asked - seen);
      }
      return ahead;
    };
    expect(await most()).toBe(15);
  });

  it('asks for nothing ahead while large ones wait', async () => {
    const large = Buffer.alloc(17 << 20);
    let asked = 0;
    let seen = 0;
    let ahead = 0;
    const readBlob = async () => {
      asked += 1;
      return large;
    };
    for await (const _ of readAhead(changes, readBlob)) {
      await new Promise((resolve) => setImmediate(resolve));
      seen += 1;
      // Of the first ones nobody knows the sizes yet.
      if (seen > 20) ahead = Math.max(ahead, asked - seen);
    }
    expect(ahead).toBeLessThanOrEqual(1);
  });

  it('reports a failed read in its turn', async () => {
    const readBlob = async (oid: string) => {
      if (oid === '5') throw new Error('missing');
      return Buffer.from(oid);
    };
    const seen: string[] = [];
    const all = async () => {
      for await (const { change } of readAhead(changes, readBlob)) seen.push(change.path);
    };
    await expect(all()).rejects.toThrow('missing');
    expect(seen).toHaveLength(5);
  });
});
