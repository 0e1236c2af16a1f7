import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatGitConfig, parseGitConfig, sanitiseGitConfig } from '../../../src/workspace/git-config.ts';
import { temporaryFolder } from '../../support/temp.ts';

const ENV = { PATH: process.env.PATH ?? '', GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };

/** The settings as git reads them, or undefined where it refuses the file. */
function askGit(text: string): string[] | undefined {
  const file = join(temporaryFolder(), 'config');
  writeFileSync(file, text, 'latin1');
  const run = spawnSync('git', ['config', '--file', file, '--list', '-z', '--no-includes'], {
    env: ENV,
    encoding: 'latin1',
  });
  return run.status === 0 ? run.stdout.split('\0').slice(0, -1) : undefined;
}

function ours(text: string): string[] {
  return parseGitConfig(text).map(({ section, subsection, key, value }) => {
    const name = subsection === undefined ? `${section}.${key}` : `${section}.${subsection}.${key}`;
    return value === undefined ? name : `${name}\n${value}`;
  });
}

describe('parsing git configuration', () => {
  const TEXTS = [
    '[core]\n\tbare = false\n',
    '[Core "X y"]\n\tKey = "a;b" ; comment\n\tflag\n',
    '[a.b]\nx=1\\\n2\n',
    '[a "q\\"q\\\\"]x = " lead" trail  \n',
    '[a]\n\ty = a\\tb\\nc\n[b]z=1\n',
    '[a]\r\n\tx = 1\r\n',
  ];
  test.each(TEXTS)('reads %j as git does', (text) => {
    expect(ours(text)).toEqual(askGit(text));
  });

  test('reads what git accepts as git does, on generated files', () => {
    const piece = fc.constantFrom(
      '[core]',
      '[a "b"]',
      '[a.C]',
      'x',
      'key',
      ' = ',
      '=',
      '"',
      '\\',
      '\\n',
      '\\"',
      '\\\n',
      '\n',
      '\n',
      '\t',
      ' ',
      ';',
      '#',
      'value',
      ']',
      '\r\n',
    );
    const text = fc.array(piece, { maxLength: 14 }).map((parts) => `[s]\n${parts.join('')}\n`);
    fc.assert(
      fc.property(text, (generated) => {
        const theirs = askGit(generated);
        // A tab between words is a blank to git before 2.45, and a tab since.
        const withBlanks = (lines: string[]) => lines.map((line) => line.replace(/[\t\r]/g, ' '));
        if (theirs !== undefined) expect(withBlanks(ours(generated))).toEqual(withBlanks(theirs));
      }),
      { numRuns: 150 },
    );
  });

  test('never throws and never hangs, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        parseGitConfig(Buffer.from(bytes).toString('latin1'));
      }),
    );
  });

  test('what is written is read back the same, by us and by git', () => {
    const value = fc.string({ maxLength: 30 }).filter((text) => /^[\x01-\x09\x0b\x0c\x0e-\x7f]*$/.test(text));
    fc.assert(
      fc.property(value, value, (subsection, content) => {
        fc.pre(!subsection.includes('\n'));
        const settings = [{ section: 'a', subsection, key: 'k', value: content }];
        const text = formatGitConfig(settings);
        expect(parseGitConfig(text)).toEqual(settings);
      }),
    );
  });
});

describe('git configuration for the guest', () => {
  const SECRET = 'ghp_0123456789abcdefghij0123456789abcdef';
  const DANGEROUS: [name: string, text: string][] = [
    ['user and password in a remote', `[remote "o"]\nurl = https://me:${SECRET}@host/x.git`],
    ['a token as the user', `[remote "o"]\nurl = https://${SECRET}@host/x.git`],
    ['a push address', `[remote "o"]\npushurl = https://me:${SECRET}@host/x.git`],
    ['a query of a push address', `[remote "o"]\npushurl = https://host/x.git?private_token=${SECRET}`],
    ['a password with an at sign', `[remote "o"]\nurl = https://me:p@${SECRET}@host/x`],
    ['a query', `[remote "o"]\nurl = https://host/x.git?private_token=${SECRET}`],
    ['a rewritten address', `[url "https://me:${SECRET}@host/"]\ninsteadOf = https://host/`],
    ['a header', `[http "https://host/"]\nextraheader = AUTHORIZATION: basic ${SECRET}`],
    ['a header for all', `[http]\nextraHeader = x: ${SECRET}`],
    ['a proxy', `[http]\nproxy = http://me:${SECRET}@proxy`],
    ['a credential helper', `[credential]\nhelper = "!echo password=${SECRET}"`],
    ['a credential of one host', `[credential "https://${SECRET}@host"]\nusername = ${SECRET}`],
    ['a comment', `[core]\nbare = false # ${SECRET}\n; ${SECRET}`],
    ['a remote named by its address', `[remote "https://me:${SECRET}@host/x"]\nurl = https://host/x`],
    ['a branch that tracks an address', `[branch "m"]\nremote = https://me:${SECRET}@host/x`],
    ['an unknown section', `[corp]\ntoken = ${SECRET}`],
    ['a broken header', `[corp "x]\ntoken = ${SECRET}`],
    ['a broken line', `[core]\n= ${SECRET}`],
    ['a mail password', `[sendemail]\nsmtppass = ${SECRET}`],
    ['a filter', `[filter "x"]\nclean = run ${SECRET}`],
    ['a large-file store', `[lfs]\nurl = https://me:${SECRET}@host/lfs`],
  ];
  test.each(DANGEROUS)('holds no token that was in %s', (_, text) => {
    expect(sanitiseGitConfig(`[user]\nname = A\n${text}\n`).text).not.toContain(SECRET);
    expect(sanitiseGitConfig(text).text).not.toContain('0123456789');
  });

  const COMMANDS = [
    '[core]\nhooksPath = /x\nfsmonitor = run\nsshCommand = run\naskPass = run\neditor = run\npager = run\nworktree = /x\nattributesFile = /x\nexcludesFile = /x\ngitProxy = run\nalternateRefsCommand = run',
    '[include]\npath = /x',
    '[includeIf "gitdir:/"]\npath = /x',
    '[alias]\nx = !run',
    '[diff "d"]\ntextconv = run\ncommand = run',
    '[diff]\nexternal = run',
    '[merge "d"]\ndriver = run',
    '[gpg]\nprogram = run',
    '[gpg "ssh"]\nprogram = run',
    '[submodule "s"]\nupdate = !run',
    '[remote "r"]\nuploadpack = run\nreceivepack = run\nvcs = run\nproxy = run',
    '[remote "r"]\nurl = ext::sh -c run',
    '[remote "r"]\npushurl = ext::sh -c run',
    '[uploadpack]\npackObjectsHook = run',
    '[sequence]\neditor = run',
    '[difftool "x"]\ncmd = run',
    '[trailer "x"]\ncommand = run',
    '[browser "x"]\ncmd = run',
  ];
  test.each(COMMANDS)('leaves out what runs commands or reads other files: %j', (text) => {
    expect(sanitiseGitConfig(`${text}\n`).text).toBe('');
  });

  test('keeps what makes the repository work', () => {
    const text = [
      '[core]\n\trepositoryformatversion = 1\n\tbare = false\n',
      '[extensions]\n\tobjectFormat = sha256\n',
      '[remote "origin"]\n\turl = git@host:a/b.git\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n',
      '[remote "two"]\n\turl = ssh://git@host/a\n\turl = https://host/a.git\n',
      '[branch "main"]\n\tremote = origin\n\tmerge = refs/heads/main\n',
      '[user]\n\tname = A B\n\temail = a@example.org\n',
    ].join('');
    const clean = sanitiseGitConfig(text);
    expect(parseGitConfig(clean.text)).toEqual(parseGitConfig(text));
    expect(askGit(clean.text)).toEqual(askGit(text));
    expect(clean.dropped).toEqual([]);
  });

  test('names what it left out', () => {
    expect(sanitiseGitConfig('[credential]\nhelper = store\n').dropped).toEqual(['credential.helper']);
  });
});
