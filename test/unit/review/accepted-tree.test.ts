import { describe, expect, it } from 'vitest';
import { acceptedTreeFiles } from '../../../src/review/accepted-tree.ts';
import type { Decision } from '../../../src/review/decision.ts';
import { rebaseDecisions } from '../../../src/review/rebase.ts';
import { Repository } from './fixture.ts';

describe("the accepted state of the agent's copy", () => {
  it('has what was rejected as it was, and what is open as the agent left it', async () => {
    const repository = new Repository();
    const lines = Array.from({ length: 20 }, (_, at) => `${at}\n`);
    const edit = (...at: number[]) =>
      lines.map((line, index) => (at.includes(index) ? `new ${index}\n` : line)).join('');
    const partial = repository.change('partial', lines.join(''), edit(2, 17));
    const [first] = repository.textHunks(partial);
    const changes = [
      repository.change('added', undefined, 'x\n'),
      repository.change('gone', 'y\n', undefined),
      repository.change('kept', '1\n', '2\n'),
      partial,
      repository.change('to', 'a\n', 'b\n', 'from'),
      repository.change('open', 'a\n', 'b\n'),
    ];
    const decisions: Decision[] = [
      { path: 'added', decision: 'reject' },
      { path: 'gone', decision: 'reject' },
      { path: 'kept', decision: 'accept' },
      { path: 'partial', decision: 'partial', hunks: [{ hunk: first?.id ?? '', decision: 'reject' }] },
      { path: 'to', decision: 'partial', hunks: [], rename: 'reject' },
    ];
    const { files, contents } = await acceptedTreeFiles(
      await repository.items(...changes),
      decisions,
      repository.readBlob,
    );
    const texts = [...files].map(([path, state]) => {
      const bytes = state && (contents.get(state.oid) ?? repository.blobs.get(state.oid));
      return [path, bytes?.toString()];
    });
    expect(Object.fromEntries(texts)).toEqual({
      added: undefined,
      gone: 'y\n',
      kept: '2\n',
      partial: edit(17),
      to: undefined,
      from: 'b\n',
    });
    expect(files.has('added' as never)).toBe(true);
    expect(files.has('open' as never)).toBe(false);
  });
});

describe('decisions carried over to a later state', () => {
  it('stay where the change is the same to the byte, and fall by name where it is not', () => {
    const repository = new Repository();
    const before = [
      repository.change('same', 'a\n', 'b\n'),
      repository.change('other', 'a\n', 'b\n'),
      repository.change('mode', 'a\n', 'b\n'),
      repository.change('moved', 'a\n', 'b\n', 'x'),
      repository.change('undone', 'a\n', 'b\n'),
    ];
    const after = [
      repository.change('same', 'a\n', 'b\n'),
      repository.change('other', 'a\n', 'c\n'),
      repository.change('mode', 'a\n', { bytes: 'b\n', mode: '100755' }),
      repository.change('moved', 'a\n', 'b\n', 'y'),
    ];
    const decisions = before.map(({ path }): Decision => ({ path, decision: 'accept' }));
    expect(rebaseDecisions(decisions, before, after)).toEqual({
      kept: [{ path: 'same', decision: 'accept' }],
      dropped: ['other', 'mode', 'moved', 'undone'],
    });
  });
});
