/**
 * The ledger takes whatever a guest puts into its workspace, as bytes, and git on the host never meets it. The rows in brackets
 * are those of the attack catalogue in docs/security.md.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { decodePath, type HostPath, type RelPath } from '../../src/base/path-bytes.ts';
import { diffText } from '../../src/diff/text-diff.ts';
import { GIT_ENVIRONMENT, gitArguments, resolveGit, runGit } from '../../src/git/git-program.ts';
import { openLedger } from '../../src/ledger/reader.ts';
import { openLedgerWriter } from '../../src/ledger/writer.ts';
import { commitInitial, type Files, git, makeLedger, toolCall } from '../integration/ledger/fixture.ts';
import { temporaryFolder } from '../support/temp.ts';

/** Commits the files and gives back what the ledger says they hold. */
async function roundTrip(files: Files): Promise<Record<string, string>> {
  const writer = await makeLedger();
  await commitInitial(writer, {});
  const entry = await writer.append(toolCall(writer, files));
  await using reader = await openLedger(writer.dir);
  const read: Record<string, string> = {};
  for (const [path, { oid }] of await reader.files(entry.tree))
    read[path] = (await reader.readBlob(oid)).toString();
  // No git of any version must choke on what is stored, whatever checks it makes.
  expect(git(writer.dir, 'fsck', '--strict', '--full', '--no-dangling')).toBe('');
  return read;
}

/** A program that leaves a mark when anything runs it. */
function makeCanary(folder: string, name = 'git'): { bin: string; mark: string } {
  const mark = join(folder, 'EXECUTED');
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, name), `#!/bin/sh\n: > ${mark}\n`);
  chmodSync(join(bin, name), 0o755);
  return { bin, mark };
}

describe('our own git runs nothing that the user, the project or the guest chose', () => {
  it('[G07] takes no program and no setting from the environment', async () => {
    const folder = temporaryFolder();
    const { bin, mark } = makeCanary(folder);
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    const script = fileURLToPath(new URL('../integration/ledger/read-through-git.ts', import.meta.url));
    const env = {
      PATH: `${bin}${delimiter}.${delimiter}node_modules/.bin`,
      HOME: folder,
      GIT_DIR: folder,
      GIT_WORK_TREE: folder,
      GIT_OBJECT_DIRECTORY: folder,
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'core.fsmonitor',
      GIT_CONFIG_VALUE_0: join(bin, 'git'),
      GIT_CONFIG_PARAMETERS: `'core.fsmonitor'='${join(bin, 'git')}'`,
      GIT_EXTERNAL_DIFF: join(bin, 'git'),
      GIT_SSH_COMMAND: join(bin, 'git'),
      GIT_EXEC_PATH: bin,
      GIT_PAGER: join(bin, 'git'),
      GIT_TRACE: join(folder, 'trace'),
      LD_LIBRARY_PATH: folder,
    };
    spawnSync('git', ['status'], { cwd: folder, env });
    expect(existsSync(mark), 'the attack works on a git that takes the environment').toBe(true);
    rmSync(mark);
    const run = execFileSync(process.execPath, [script, writer.dir], { cwd: folder, env });
    expect(run.toString()).toBe('blob 1 blob\n');
    expect(existsSync(mark)).toBe(false);
    expect(existsSync(join(folder, 'trace'))).toBe(false);
    expect(resolveGit()).toMatch(/^\/.*git$/);
  });

  it('[G08, G27, G29] reads no settings of the user', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    const { stdout } = await runGit({ gitDir: writer.dir, args: ['config', '--list', '--show-origin'] });
    const origins = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.split('\t')[0]);
    expect(new Set(origins)).toEqual(new Set([`file:${writer.dir}/config`, 'command line:']));
  });

  it('[G05, G06] works with no worktree, away from the project, on the repository it names', () => {
    const args = gitArguments('/ledger' as HostPath, ['cat-file', '--batch']);
    expect(args[0]).toBe('--git-dir=/ledger');
    expect(args.join(' ')).not.toContain('--work-tree');
    expect(GIT_ENVIRONMENT).not.toHaveProperty('GIT_WORK_TREE');
    expect(args).toContain('core.hooksPath=/dev/null');
    expect(args).toContain('core.fsmonitor=false');
    expect(args).toContain('safe.bareRepository=explicit');
  });

  it('[G09] keeps the ledger closed to everybody but its owner', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    expect(statSync(writer.dir).mode & 0o777).toBe(0o700);
  });
});

describe('nothing that a guest writes is hidden, changed or swallowed', () => {
  it('[G10-G13] records what lies in and beside repositories inside the workspace', async () => {
    const head = `${'ab'.repeat(20)}\n`;
    const files = {
      's/.git/HEAD': head,
      's/.git/config': '[core]\n\tfsmonitor = touch /tmp/x\n',
      's/.git/hooks/post-index-change': '#!/bin/sh\n',
      's/e.js': 'evil',
      't/.git': 'gitdir: ../.hid/.git\n',
      't/f.js': 'evil too',
      'unborn/.git/HEAD': 'ref: refs/heads/main\n',
      'unborn/x': 'y',
    };
    expect(await roundTrip(files)).toEqual(files);
  });

  it('[G12, G13] goes on after them: the next entry is written as any other', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { 's/.git/HEAD': 'nonsense', 's/a': '1' });
    const entry = await writer.append(toolCall(writer, { 's/a': '2', 's/.git/objects/x': 'y' }));
    expect(entry.trailers.seq).toBe(2);
    expect((await writer.verify()).faults).toEqual([]);
  });

  it('[G14-G16] takes every name that some git refuses, and tells them apart', async () => {
    const names = [
      '.git',
      '.GIT',
      '.Git',
      'git~1',
      'GIT~1',
      '.git ',
      '.git.',
      '.git::$INDEX_ALLOCATION',
      'a\\.git\\config',
      '.g\u200cit',
      'gi7eba~1',
      '%2Egit',
      '%252Egit',
      '.gitmodules',
      '.GitModules',
    ];
    const files = Object.fromEntries(names.map((name) => [`${name}/file`, name]));
    const links: Files = Object.fromEntries(
      names.map((name) => [`l/${name}`, { mode: '120000' as const, text: '/etc' }]),
    );
    const read = await roundTrip({ ...files, ...links });
    expect(Object.keys(read).sort()).toEqual([...Object.keys(files), ...Object.keys(links)].sort());
    for (const [path, text] of Object.entries(files)) expect(read[path]).toBe(text);
  });

  it('[G17, G42, G43] takes names that are commands, options, pathspecs or no text at all', async () => {
    const names = [
      'a\nD keep',
      'x\n/etc/hostname',
      '--output=pwn',
      '-rf',
      ':(exclude)x',
      ':!x',
      'tab\there',
      '\u001b[31mred',
      '\u202egpj.exe',
      '"quoted"',
      "it's",
      decodePath(Buffer.from([0xff, 0xfe, 0x80])),
      decodePath(Buffer.from('caf\xe9', 'latin1')),
      'café',
      'cafe\u0301',
      ' ',
      'trailing ',
      '\r',
      '#',
      '*',
      'keep',
    ];
    const files = Object.fromEntries(names.map((name) => [name, `bytes of ${JSON.stringify(name)}`]));
    expect(await roundTrip(files)).toEqual(files);
  });

  it('[G18, G37] keeps a symlink as its target, and never what it points to', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'secret'), 'host secret');
    const target = join(folder, 'secret');
    const writer = await makeLedger();
    await commitInitial(writer, {});
    const entry = await writer.append(toolCall(writer, { l: { mode: '120000', text: target }, 'd/x': '1' }));
    const link = (await writer.files(entry.tree)).get('l' as RelPath);
    expect(link?.mode).toBe('120000');
    expect((await writer.readBlob(link?.oid ?? '')).toString()).toBe(target);
  });

  it('[G22] is not told by ignore files what to record', async () => {
    const files = {
      '.gitignore': '*\n',
      'sub/.gitignore': '!*\n*\n',
      'info/exclude': '*\n',
      'sub/hidden.js': 'x',
      evil: 'y',
    };
    expect(await roundTrip(files)).toEqual(files);
  });

  it('[G23-G26] stores bytes as they are, whatever attributes say', async () => {
    const files = {
      '.gitattributes':
        '* text eol=lf ident filter=lfs\n*.txt working-tree-encoding=UTF-7\n*.u16 working-tree-encoding=UTF-16\n* working-tree-encoding\n',
      'crlf.c': 'a\r\nb\nc\r\n',
      'id.c': '$Id: payload $\n',
      'html.txt': '+ADw-script+AD4-',
      'plain.u16': 'ascii',
    };
    expect(await roundTrip(files)).toEqual(files);
  });

  it('[G23, G24] sees a change of line endings or of an $Id$ line as a change', async () => {
    const writer = await makeLedger();
    const base = await commitInitial(writer, { '.gitattributes': '* text ident\n', a: 'x\n', b: '$Id$\n' });
    const final = await writer.append(toolCall(writer, { a: 'x\r\n', b: '$Id: rm -rf $\n' }));
    const { changes } = await writer.changes(base.tree, final.tree, { renames: true });
    expect(changes.map((change) => change.path)).toEqual(['a', 'b']);
  });

  it('[G28] shows the text of a file that attributes call binary', async () => {
    const writer = await makeLedger();
    const base = await commitInitial(writer, { '.gitattributes': '* -diff binary\n', 'a.js': 'one\n' });
    const final = await writer.append(toolCall(writer, { 'a.js': 'two\n' }));
    const { changes } = await writer.changes(base.tree, final.tree, { renames: true });
    const [change] = changes;
    const before = await writer.readBlob(change?.before?.oid ?? '');
    const after = await writer.readBlob(change?.after?.oid ?? '');
    expect(diffText(before, after)).toMatchObject({ kind: 'text', added: 1, removed: 1 });
    const naive = temporaryFolder();
    writeFileSync(join(naive, '.gitattributes'), '* -diff\n');
    writeFileSync(join(naive, 'a.js'), 'one\n');
    execFileSync('git', ['init', '-q'], { cwd: naive });
    execFileSync('git', ['add', '-A'], { cwd: naive });
    writeFileSync(join(naive, 'a.js'), 'evil\n');
    const shown = execFileSync('git', ['diff'], { cwd: naive, encoding: 'utf8' });
    expect(shown, 'the attack works on git diff in a workspace').not.toContain('evil');
    // Neither does git itself find attributes in the ledger, whichever version looks.
    expect(readFileSync(join(writer.dir, 'HEAD'), 'utf8')).toBe('ref: refs/heads/none\n');
    expect(git(writer.dir, 'diff-tree', '-p', base.tree, final.tree)).toContain('+two');
  });

  it('[G30] holds no submodule and no .gitmodules that git would read', async () => {
    const writer = await makeLedger();
    const text = '[submodule "sub"]\n\tpath = sub\n\turl = -u./payload\n\tignore = all\n';
    const base = await commitInitial(writer, { '.gitmodules': text, 'sub/a': '1' });
    const final = await writer.append(toolCall(writer, { 'sub/a': '2' }));
    expect((await writer.changes(base.tree, final.tree, { renames: true })).changes.length).toBe(1);
    const listing = git(writer.dir, 'ls-tree', '-r', '-t', final.tree);
    expect(listing).not.toMatch(/^160000/m);
    expect(listing).not.toMatch(/\t\.gitmodules$/m);
  });
});

describe('a guest can neither forge an entry nor stop the next', () => {
  it('puts names and ids with line breaks into an entry without adding a line of its own', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    const evil = 'x\n\nSeq: 999\nKind: initial\nOk: yes';
    const input = toolCall(
      writer,
      {},
      {
        title: `Agent executed: ${evil}`,
        call: evil,
        tool: evil,
        shared: [evil, evil],
        ok: false,
        skipped: [{ path: evil, reason: 'special', detail: evil }],
      },
    );
    await writer.append(input);
    await using reader = await openLedger(writer.dir);
    const head = await reader.head();
    expect(head.title).not.toContain('\n');
    expect(head.trailers).toMatchObject({
      seq: 2,
      kind: 'tool',
      ok: false,
      call: evil,
      tool: evil,
      shared: [evil, evil],
    });
    expect(head.trailers.skipped).toEqual([{ path: evil, reason: 'special', detail: evil }]);
    const message = git(writer.dir, 'log', '-1', '--format=%B', head.id);
    expect(message.match(/^Seq: .*$/gm)).toEqual(['Seq: 2']);
    expect(message.match(/^Ok: .*$/gm)).toEqual(['Ok: no']);
  });

  it('[G39] uses two files on the host for a hundred thousand in the guest', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, {});
    const sink = writer.blobSink();
    const count = () => readdirSync(join(writer.dir, 'objects'), { recursive: true }).length;
    const before = count();
    const written = Array.from({ length: 100_000 }, (_, at) => {
      const bytes = Buffer.from(`${at}`);
      const path = `d${at % 100}/f${at}` as RelPath;
      return { path, mode: '100644' as const, oid: sink.writeBlob(bytes.length, [bytes]) };
    });
    await writer.append(toolCall(writer, {}, { written }));
    expect(count() - before).toBe(2);
  });

  it('[G40] takes a size for what it is: bytes beyond those announced are refused, not stored', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, {});
    const sink = writer.blobSink();
    for (const [size, chunk] of [
      [10, 11],
      [10, 9],
      [0, 1],
      [3_000_000, 3_000_001],
    ] as const) {
      expect(() => sink.writeBlob(size, [Buffer.alloc(chunk)])).toThrow(
        expect.objectContaining({ code: 'guest/failed' }),
      );
    }
    const entry = await writer.append(toolCall(writer, { ok: 'x' }));
    expect((await writer.files(entry.tree)).size).toBe(1);
    expect((await writer.verify()).faults).toEqual([]);
  });

  it('ends at a tree that names one folder again and again, and does not fill memory', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    let oid = git(writer.dir, 'rev-parse', 'refs/safe-coder/ledger^{tree}').trim();
    for (let level = 0; level < 40; level++) {
      const entries = Array.from({ length: 40 }, (_, at) => {
        const name = `40000 d${String(at).padStart(2, '0')}\0`;
        return Buffer.concat([Buffer.from(name, 'latin1'), Buffer.from(oid, 'hex')]);
      });
      const file = join(writer.dir, 'tree');
      writeFileSync(file, Buffer.concat(entries));
      oid = git(writer.dir, 'hash-object', '-w', '-t', 'tree', file).trim();
    }
    await expect(writer.files(oid)).rejects.toMatchObject({ code: 'ledger/damaged' });
    const base = (await writer.head()).tree;
    await expect(writer.changes(base, oid, { renames: false })).rejects.toMatchObject({
      code: 'ledger/damaged',
    });
  });

  it('[G41, L04] finds no lock in its way after a kill', async () => {
    const writer = await makeLedger();
    await commitInitial(writer, { a: '1' });
    await writer[Symbol.asyncDispose]();
    for (const name of [
      'refs/safe-coder/ledger.lock',
      'objects/pack/tmp_pack_x',
      'objects/info/tmp_alternates',
    ]) {
      writeFileSync(join(writer.dir, name), '');
    }
    await using next = await openLedgerWriter(writer.dir, { sync: false });
    expect((await next.append(toolCall(next, { a: '2' }))).trailers.seq).toBe(2);
  });

  it('[G44] can use SHA-256 ids from end to end', async () => {
    const writer = await makeLedger('sha256');
    const entry = await commitInitial(writer, { a: '1' });
    expect(entry.id).toMatch(/^[0-9a-f]{64}$/);
    expect(git(writer.dir, 'rev-parse', '--show-object-format')).toBe('sha256\n');
    expect(git(writer.dir, 'fsck', '--strict', '--no-dangling')).toBe('');
  });
});
