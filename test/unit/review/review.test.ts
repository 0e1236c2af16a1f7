import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import type { Change, FileMode } from '../../../src/diff/change-set.ts';
import { compileUserRules } from '../../../src/policy/risk/user-rules.ts';
import { parseDecisions } from '../../../src/review/decision.ts';
import { planFromDecisions } from '../../../src/review/plan.ts';
import { reviewItems, toSummary } from '../../../src/review/review-item.ts';
import { decideAll, decideByPatterns } from '../../../src/review/select.ts';

const blobs = new Map<string, Buffer>();
const ledger = {
  readBlob: async (oid: string) => {
    const bytes = blobs.get(oid);
    if (bytes === undefined) throw new Error(`no blob ${oid}`);
    return bytes;
  },
};

function state(text: string, mode: FileMode = '100644') {
  const oid = createHash('sha1').update(text).digest('hex');
  blobs.set(oid, Buffer.from(text));
  return { mode, oid };
}

const CHANGES: Change[] = [
  { path: 'src/a.ts' as RelPath, kind: 'modified', before: state('1\n2\n'), after: state('1\n3\n4\n') },
  { path: 'new.md' as RelPath, kind: 'added', after: state('x\ny') },
  { path: 'gone.md' as RelPath, kind: 'deleted', before: state('z\n') },
  {
    path: 'to.ts' as RelPath,
    from: 'from.ts' as RelPath,
    kind: 'renamed',
    before: state('same\n'),
    after: state('same\n'),
  },
  { path: 'package.json' as RelPath, kind: 'modified', before: state('{}'), after: state('{"a":1}') },
  { path: 'sub/.git/config' as RelPath, kind: 'added', after: state('[core]') },
  { path: 'out' as RelPath, kind: 'symlink', after: state('../../etc', '120000') },
  { path: 'image.png' as RelPath, kind: 'added', after: state('\0\x01') },
];

const items = () => reviewItems({ base: 'b', final: 'f', changes: CHANGES }, ledger);

describe('reviewItems', () => {
  it('counts, marks risks and names what apply would refuse', async () => {
    const found = new Map((await items()).map((item) => [item.change.path as string, item]));
    expect(found.get('src/a.ts')).toMatchObject({ added: 2, removed: 1, risk: [], refused: undefined });
    expect(found.get('new.md')).toMatchObject({ added: 2, removed: 0 });
    expect(found.get('gone.md')).toMatchObject({ added: 0, removed: 1, sha256: undefined });
    expect(found.get('package.json')?.risk).toHaveLength(1);
    expect(found.get('sub/.git/config')?.refused).toContain('.git');
    expect(found.get('out')?.refused).toContain('leaves the project');
    expect(found.get('out')).toMatchObject({ added: 0, removed: 0, isBinary: false });
    expect(found.get('image.png')).toMatchObject({ isBinary: true, added: 0 });
  });

  it('says what a binary file is, and how large both sides are', async () => {
    const change: Change = {
      path: 'a.bin' as RelPath,
      kind: 'modified',
      before: state('\x7fELF\0'),
      after: state('GIF89a\0\0'),
    };
    const [item] = await reviewItems({ base: 'b', final: 'f', changes: [change] }, ledger);
    expect(item).toMatchObject({ contentType: 'GIF image', sizes: { before: 5, after: 8 } });
    expect(item && toSummary(item)).toMatchObject({
      binary: true,
      contentType: 'GIF image',
      after: { bytes: 8 },
    });
  });

  it('marks what only the whole set tells, and what the user has rules for', async () => {
    const changes = Array.from({ length: 60 }, (_, at): Change => {
      return { path: `src/${at}.ts` as RelPath, kind: 'deleted', before: state(`${at}`) };
    });
    const userRules = compileUserRules([{ match: '7.ts', reason: 'ours' }]);
    const found = await reviewItems({ base: 'b', final: 'f', changes }, ledger, { userRules });
    expect(found[7]?.risk).toEqual(['ours', expect.stringContaining('deletions')]);
    expect(found[8]?.risk).toHaveLength(1);
  });

  it('says which changed file an added one was copied from', async () => {
    const changes: Change[] = [
      { path: 'a' as RelPath, kind: 'modified', before: state('copied'), after: state('other') },
      { path: 'b' as RelPath, kind: 'added', after: state('copied') },
    ];
    const [, copy] = await reviewItems({ base: 'b', final: 'f', changes }, ledger);
    expect(copy && toSummary(copy)).toMatchObject({ path: 'b', change: 'added', copiedFrom: 'a' });
  });

  it('refuses both of two names that collide', async () => {
    const pair = ['README', 'readme'].map((path) => ({
      path: path as RelPath,
      kind: 'added' as const,
      after: state(path),
    }));
    const found = await reviewItems({ base: 'b', final: 'f', changes: pair }, ledger);
    expect(found.map((item) => item.refused)).toEqual([
      expect.stringContaining('collides'),
      expect.stringContaining('collides'),
    ]);
  });

  it('has the form of events', async () => {
    const [first, , , renamed] = (await items()).map(toSummary);
    expect(first).toEqual({
      path: 'src/a.ts',
      change: 'modified',
      added: 2,
      removed: 1,
      before: { ...state('1\n2\n'), bytes: 4 },
      after: { ...state('1\n3\n4\n'), bytes: 6 },
      risk: [],
    });
    expect(renamed).toMatchObject({ path: 'to.ts', from: 'from.ts', change: 'renamed' });
  });
});

describe('decisions', () => {
  it('accept only what is safe, or everything that can be applied, or nothing', async () => {
    const accepted = async (mode: 'none' | 'safe' | 'all') =>
      decideAll(await items(), mode).flatMap(({ path, decision }) => (decision === 'accept' ? [path] : []));
    expect(await accepted('none')).toEqual([]);
    expect(await accepted('safe')).toEqual(['src/a.ts', 'new.md', 'gone.md', 'to.ts']);
    expect(await accepted('all')).toEqual([
      'src/a.ts',
      'new.md',
      'gone.md',
      'to.ts',
      'package.json',
      'image.png',
    ]);
  });

  it('that accept only what is safe leave out what changed on the host as well', async () => {
    const conflicts = new Set(['src/a.ts', 'from.ts']);
    const safe = decideAll(await items(), 'safe', conflicts).filter(({ decision }) => decision === 'accept');
    expect(safe.map(({ path }) => path)).toEqual(['new.md', 'gone.md']);
    expect(decideAll(await items(), 'all', conflicts)).toContainEqual({ path: 'to.ts', decision: 'accept' });
  });

  it('follow patterns, rejecting last', async () => {
    const accepted = async (patterns: { accept?: string[]; reject?: string[] }) =>
      decideByPatterns(await items(), patterns).flatMap((d) => (d.decision === 'accept' ? [d.path] : []));
    expect(await accepted({ accept: ['*.ts'] })).toEqual(['src/a.ts', 'to.ts']);
    expect(await accepted({ accept: ['src'] })).toEqual(['src/a.ts']);
    expect(await accepted({ accept: ['*.md', '*.ts'], reject: ['src/**'] })).toEqual([
      'new.md',
      'gone.md',
      'to.ts',
    ]);
    expect(await accepted({ accept: ['from.ts'] })).toEqual(['to.ts']);
    expect(await accepted({ reject: ['*.{md,png,json}'] })).toEqual(['src/a.ts', 'to.ts']);
    await expect(accepted({ accept: ['*.rs'] })).rejects.toMatchObject({ code: 'usage/bad-argument' });
  });

  it('become a plan that is bound to the bytes', async () => {
    const plan = await planFromDecisions(
      await items(),
      [
        { path: 'src/a.ts', decision: 'accept' },
        { path: 'new.md', decision: 'reject' },
        { path: 'gone.md', decision: 'accept' },
      ],
      ledger.readBlob,
    );
    expect(plan.items.map(({ path }) => path)).toEqual(['src/a.ts', 'gone.md']);
    expect(plan.items[0]?.after?.sha256).toBe(createHash('sha256').update('1\n3\n4\n').digest('hex'));
    expect(plan.items[1]?.after).toBeUndefined();
  });

  it('make of a rename a deletion and an addition in one group', async () => {
    const plan = await planFromDecisions(
      await items(),
      [{ path: 'to.ts', decision: 'accept' }],
      ledger.readBlob,
    );
    expect(plan.items).toMatchObject([
      { path: 'from.ts', group: 'to.ts', before: {} },
      { path: 'to.ts', group: 'to.ts', after: {} },
    ]);
    expect(plan.items[0]?.after).toBeUndefined();
    expect(plan.items[1]?.before).toBeUndefined();
  });

  it('are refused when they name what did not change, a path twice, or what can not be applied', async () => {
    const all = await items();
    const code = async (decisions: Parameters<typeof planFromDecisions>[1]) => {
      try {
        await planFromDecisions(all, decisions, ledger.readBlob);
      } catch (error) {
        return (error as { code?: string }).code;
      }
      return 'none';
    };
    expect(await code([{ path: 'nowhere', decision: 'accept' }])).toBe('usage/bad-argument');
    expect(
      await code([
        { path: 'new.md', decision: 'accept' },
        { path: 'new.md', decision: 'reject' },
      ]),
    ).toBe('usage/bad-argument');
    expect(await code([{ path: 'out', decision: 'accept' }])).toBe('apply/refused');
    expect(await code([{ path: 'out', decision: 'reject' }])).toBe('none');
  });
});

describe('parseDecisions', () => {
  it('reads a decisions file', () => {
    const text = '{"version":1,"decisions":[{"path":"a","decision":"accept"}]}';
    expect(parseDecisions(text, 'd.json').decisions).toEqual([{ path: 'a', decision: 'accept' }]);
  });

  it.each([
    'nonsense',
    '{}',
    '{"version":2,"decisions":[]}',
    '{"version":1,"decisions":[{"path":"a","decision":"maybe"}]}',
    '{"version":1,"decisions":[{"path":"","decision":"accept"}]}',
    '{"version":1,"decisions":[{"path":"a","decision":"accept","hunks":[1]}]}',
    '{"version":1,"decisions":[],"extra":1}',
  ])('refuses %s', (text) => {
    expect(() => parseDecisions(text, 'd.json')).toThrow(
      expect.objectContaining({ code: 'usage/bad-argument' }),
    );
  });
});
