import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../../../src/base/path-bytes.ts';
import { HunkSource } from '../../../../src/review/hunk-source.ts';
import type { ReviewItem } from '../../../../src/review/review-item.ts';
import { ReviewState } from '../../../../src/review/review-state.ts';
import { makeFrame } from '../../../../src/tui/review/frame.ts';
import { takeInput } from '../../../../src/tui/review/input.ts';
import { ReviewView } from '../../../../src/tui/review/view.ts';

const blobs = new Map<string, Buffer>();

function put(text: string) {
  const oid = createHash('sha1').update(text).digest('hex');
  blobs.set(oid, Buffer.from(text));
  return { mode: '100644' as const, oid };
}

function item(path: string, before: string, after: string, risk: string[] = []): ReviewItem {
  return {
    change: { path: path as RelPath, kind: 'modified', before: put(before), after: put(after) },
    added: 1,
    removed: 1,
    isBinary: false,
    risk,
    refused: undefined,
    sha256: undefined,
    isIgnored: false,
  };
}

const LINES = Array.from({ length: 30 }, (_, at) => `line ${at}\n`).join('');
const TWO_HUNKS = LINES.replace('line 2\n', 'LINE 2\n').replace('line 25\n', 'LINE 25\n');

async function open(items: ReviewItem[], size = { columns: 120, rows: 30 }) {
  const source = new HunkSource(async (oid) => blobs.get(oid) ?? Buffer.alloc(0));
  const state = new ReviewState(items, { tree: '0'.repeat(40) });
  const view = new ReviewView(state, { title: 'test', ...size });
  const settle = async () => {
    for (const effect of view.effects.splice(0)) {
      if (effect.kind === 'load') view.showFile(effect.file, await source.hunksOf(effect.file.item));
      else left.push(effect.kind);
    }
  };
  const left: string[] = [];
  const type = async (...keys: string[]) => {
    for (const key of keys) {
      takeInput(view, { kind: 'key', key });
      await settle();
    }
  };
  const screen = () =>
    makeFrame(view, true)
      .rows.map((row) => row.map(({ spans }) => spans.map(({ text }) => text).join('')).join(''))
      .join('\n');
  await settle();
  return { state, view, type, screen, effects: left };
}

describe('a review by keys', () => {
  it('accepts the hunk under the cursor and goes to the next that is open', async () => {
    const { state, type, screen } = await open([
      item('a.txt', LINES, TWO_HUNKS),
      item('b.txt', 'x\n', 'y\n'),
    ]);
    await type('tab', 'a');
    expect(screen()).toMatch(/hunk 2 of 2/);
    await type('r');
    expect(state.decisionOf('a.txt')).toMatchObject({
      decision: 'partial',
      hunks: [{ decision: 'accept' }, { decision: 'reject' }],
    });
    expect(screen()).toMatch(/M b\.txt.*hunk 1 of 1/);
    await type('u', 'u');
    expect(state.decisions).toEqual([]);
    await type('U');
    expect(state.decisionOf('a.txt')).toMatchObject({ hunks: [{ decision: 'accept' }] });
  });

  it('takes a comment right after a rejection for the reason of it, though the cursor went on', async () => {
    const { state, type, screen } = await open([
      item('a.txt', LINES, TWO_HUNKS),
      item('b.txt', 'x\n', 'y\n'),
    ]);
    await type('tab', 'a', 'r');
    expect(screen()).toMatch(/M b\.txt.*hunk 1 of 1/);
    await type('c');
    expect(screen()).toContain('Why not a.txt?');
    await type('n', 'o', 'enter');
    expect(state.decisionOf('a.txt')).toMatchObject({ hunks: [{ decision: 'accept' }, { comment: 'no' }] });
    expect(state.decisionOf('b.txt')).toBeUndefined();

    await type('r', 'j', 'c');
    expect(screen()).not.toContain('Why not');
  });

  it('takes a range of lines, and leaves one of them again', async () => {
    const { state, type } = await open([item('a.txt', 'a\n', 'b\nc\nd\n')], { columns: 100, rows: 24 });
    await type('tab', 'j', 'V', 'j', 'j', 'a');
    expect(state.decisionOf('a.txt')).toMatchObject({ hunks: [{ decision: 'lines', lines: [0, 1, 2] }] });
    await type(' ');
    expect(state.decisionOf('a.txt')).toMatchObject({ hunks: [{ decision: 'lines', lines: [0, 1] }] });
  });

  it('decides a folder, everything, and everything without risk', async () => {
    const items = [
      item('src/a.txt', '1\n', '2\n'),
      item('src/b.txt', '1\n', '2\n'),
      item('Makefile', '1\n', '2\n', ['build file']),
    ];
    const { state, type } = await open(items);
    await type('g', 'r');
    expect([state.statusOf('src/a.txt'), state.statusOf('src/b.txt')]).toEqual(['rejected', 'rejected']);
    await type('u', 'S');
    expect(state.counts).toMatchObject({ accepted: 2, undecided: 1 });
    await type('A', 'y');
    expect(state.counts).toMatchObject({ accepted: 3 });
  });

  it('narrows to what is at risk, says so, and decides only that', async () => {
    const { state, type, screen } = await open([
      item('a.txt', '1\n', '2\n'),
      item('Makefile', '1\n', '2\n', ['build file']),
    ]);
    await type('f', 'r');
    expect(screen()).toMatch(/only: at risk \(1\)/);
    expect(screen()).not.toContain('a.txt');
    await type('R', 'y');
    expect(state.decisions.map(({ path }) => path)).toEqual(['Makefile']);
  });

  it('asks before it ends, and never offers to apply what is not accepted', async () => {
    const { type, screen, effects } = await open([item('a.txt', '1\n', '2\n')]);
    await type('r', 'q');
    expect(screen()).toMatch(/k {2}keep/);
    expect(screen()).not.toMatch(/a {2}apply/);
    await type('escape', 'q', 'k');
    expect(effects).toEqual(['leave']);
  });

  it('leaves and keeps when Ctrl-C is pressed twice', async () => {
    const { type, effects, state } = await open([item('a.txt', 'x\n', 'y\n')]);
    await type('a', 'ctrl-c');
    expect(effects).toEqual([]);
    await type('ctrl-c');
    expect(effects).toEqual(['leave']);
    expect(state.decisions).toHaveLength(1);
  });

  it('does not take the keys of a prompt for decisions', async () => {
    const { state, type } = await open([item('a.txt', '1\n', '2\n')]);
    await type('c', 'a', 'r', 'A', 'enter');
    expect(state.decisions).toMatchObject([{ comment: 'arA', hunks: [] }]);
  });

  it('shows old and new side by side where there is room, and one column where not', async () => {
    const wide = await open([item('a.txt', 'old\n', 'new\n')], { columns: 180, rows: 30 });
    expect(wide.screen()).toMatch(/- old .*│.*\+ new/);
    const narrow = await open([item('a.txt', 'old\n', 'new\n')], { columns: 80, rows: 24 });
    expect(narrow.screen()).toMatch(/- old[\s\S]*\n.*\+ new/);
  });

  it.each([
    [60, 12],
    [80, 24],
    [99, 30],
    [240, 70],
  ])('fills a screen of %i by %i exactly', async (columns, rows) => {
    const { type, screen } = await open(
      [item('a.txt', LINES, TWO_HUNKS), item('src/追加.txt', '1\n', '🎉\n')],
      { columns, rows },
    );
    for (const keys of [['j'], ['tab'], ['?'], ['escape', 'q']]) {
      await type(...keys);
      expect(screen().split('\n')).toHaveLength(rows);
    }
  });
});
