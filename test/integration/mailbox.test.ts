import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../src/base/path-bytes.ts';
import { formatMail } from '../../src/diff/mail.ts';
import { formatPatch } from '../../src/diff/patch.ts';
import { GIT_ENVIRONMENT } from '../../src/git/git-program.ts';
import { hashObject } from '../../src/git/object-id.ts';
import { temporaryFolder } from '../support/temp.ts';

const side = (path: string, latin1: string) => {
  const bytes = Buffer.from(latin1, 'latin1');
  return { path: path as RelPath, mode: '100644' as const, bytes, oid: hashObject('sha1', 'blob', bytes) };
};

const HOSTILE_PROMPT = [
  'From: someone@else',
  'Subject: another',
  '---',
  'diff --git a/x b/x',
  'Index: x',
  'From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001',
  '-- >8 --',
  '',
  'ünï €\t',
].join('\n');

const CONTENTS = [
  ['plain\n', 'changed\n'],
  ['dos\r\nlines\r\n', 'dos\r\nother\r\n'],
  ['latin \xe9\n', 'latin \xe8 \xff\n'],
  ['no end', 'no end either'],
  ['', `${'long '.repeat(500)}\r\n= equals =3D \t\r\n`],
  ['bin\0ary', '\0\r\n\xff'],
  ['From me\n', 'From 0000 Mon\r\n>From\n. \n'],
] as const;

describe('patches as mails', () => {
  it('become in the hands of git am what they were, message and bytes', () => {
    const folder = temporaryFolder();
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
        env: { ...GIT_ENVIRONMENT },
        encoding: 'latin1',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    git('init', '-q');
    for (const [index, [before]] of CONTENTS.entries())
      writeFileSync(join(folder, `f${index}`), before, 'latin1');
    git('add', '-A');
    git('commit', '-q', '-m', 'base');
    const mails = CONTENTS.map(([before, after], index) =>
      formatMail({
        subject: index % 2 ? `écrire «${'long '.repeat(20)}» ${index}` : `bash echo "=?x?=" ${index}`,
        text: index === 0 ? '' : HOSTILE_PROMPT,
        trailers: [`Safe-Coder-Entry: ${index}`],
        at: new Date('2026-01-02T03:04:05Z'),
        number: index + 1,
        total: CONTENTS.length,
        patch: formatPatch([{ before: side(`f${index}`, before), after: side(`f${index}`, after) }]),
      }),
    );
    const mailbox = join(temporaryFolder(), 'mbox');
    writeFileSync(mailbox, Buffer.concat(mails));
    git('am', '-q', mailbox);
    expect(git('log', '--reverse', '--format=%an <%ae> %at', 'HEAD~7..').trim().split('\n')).toEqual(
      CONTENTS.map(() => 'Safe Coder <safe-coder@localhost> 1767323045'),
    );
    for (const [index, [, after]] of CONTENTS.entries()) {
      expect(git('cat-file', 'blob', `HEAD:f${index}`), `f${index}`).toBe(after);
      const message = Buffer.from(
        git('log', '-1', '--format=%B', `HEAD~${CONTENTS.length - 1 - index}`),
        'latin1',
      ).toString();
      expect(message).toContain(`Safe-Coder-Entry: ${index}`);
      if (index > 0) for (const line of HOSTILE_PROMPT.split('\n')) expect(message).toContain(line.trimEnd());
      expect(message.split('\n')[0]).toBe(
        index % 2 ? `écrire «${'long '.repeat(20)}» ${index}` : `bash echo "=?x?=" ${index}`,
      );
    }
  });
});
