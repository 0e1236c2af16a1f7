import { describe, expect, test } from 'vitest';
import { redactCredentials } from '../../../src/policy/credentials.ts';

const CASES: [text: string, redacted: string][] = [
  ['clone: from https://u:p@host/x.git', 'clone: from https://host/x.git'],
  ['https://token@host/x', 'https://host/x'],
  ['https://u:p@ss@host/x', 'https://host/x'],
  ['ssh://git@host/x', 'ssh://git@host/x'],
  ['ssh://git:secret@host/x', 'ssh://git@host/x'],
  ['git@host:a/b.git', 'git@host:a/b.git'],
  ['https://host/a@b', 'https://host/a@b'],
  ['x ghp_0123456789abcdefghij y', 'x REDACTED y'],
  ['Authorization: Basic abc=\nnext', 'Authorization: REDACTED\nnext'],
  ['an ordinary line', 'an ordinary line'],
];

describe('redacting credentials', () => {
  test.each(CASES)('%j becomes %j', (text, redacted) => {
    expect(redactCredentials(text)).toBe(redacted);
  });

  test('answers at once on text that is made to be slow', () => {
    for (const piece of ['a.', 'a://', '@', 'eyJaaaaaaaaaa-', 'authorization ', 'a://x:']) {
      redactCredentials(piece.repeat((1 << 20) / piece.length));
    }
  });
});
