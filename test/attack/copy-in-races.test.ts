import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { copyIn, openProject } from '../../src/workspace/copy-in.ts';
import { MemoryBlobs } from '../support/copy-in.ts';
import { temporaryFolder } from '../support/temp.ts';

const CANARY = 'host-canary-content';
const ROUNDS = 150;

async function makeImage(root: HostPath) {
  using project = openProject(root, { stateFolders: [] });
  const imageFile = join(temporaryFolder(), 'image') as HostPath;
  const blobs = new MemoryBlobs();
  const { snapshot } = await copyIn(project, { imageFile, owner: { uid: 0, gid: 0 }, blobs });
  return { image: readFileSync(imageFile), snapshot };
}

/** Runs a shell loop in a process of its own until the test is over. */
async function runMeanwhile(script: string, folder: string): Promise<void> {
  const child = spawn('sh', ['-c', `echo ready; while :; do ${script}; done`], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  onTestFinished(() => void (child.pid === undefined || process.kill(-child.pid, 'SIGKILL')));
  await once(child.stdout, 'data');
}

/** A loop that swaps two names as fast as it can, in a process of its own. */
async function swapMeanwhile(folder: string, one: string, other: string): Promise<void> {
  const loop = `const fs = require('fs'); console.log('ready');
    for (;;) { fs.renameSync('${one}', 't'); fs.renameSync('${other}', '${one}'); fs.renameSync('t', '${other}'); }`;
  const child = spawn(process.execPath, ['-e', loop], { cwd: folder, stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout, 'data');
}

describe('a project that changes while it is copied', () => {
  test('never leaks a file from outside through a directory swapped for a link', async () => {
    const outside = temporaryFolder();
    writeFileSync(join(outside, 'file'), CANARY);
    const root = temporaryFolder();
    mkdirSync(join(root, 'w/dir'), { recursive: true });
    writeFileSync(join(root, 'w/dir/file'), 'inside');
    symlinkSync(outside, join(root, 'w/link'));
    await swapMeanwhile(join(root, 'w'), 'dir', 'link');
    let sawSwap = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { image, snapshot } = await makeImage(root);
      expect(image.includes(CANARY)).toBe(false);
      if (image.includes('inside') !== true || snapshot.skipped.length > 0) sawSwap += 1;
    }
    expect(sawSwap).toBeGreaterThan(0);
  });

  test('never leaks a file from outside through a file swapped for a link', async () => {
    const outside = temporaryFolder();
    writeFileSync(join(outside, 'file'), CANARY);
    const root = temporaryFolder();
    writeFileSync(join(root, 'file'), 'inside');
    symlinkSync(join(outside, 'file'), join(root, 'link'));
    await swapMeanwhile(root, 'file', 'link');
    for (let round = 0; round < ROUNDS; round++) {
      expect((await makeImage(root)).image.includes(CANARY)).toBe(false);
    }
  });

  test('never waits for a FIFO that took the place of a file', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'file'), 'inside');
    execFileSync('mkfifo', [join(root, 'fifo')]);
    await swapMeanwhile(root, 'file', 'fifo');
    for (let round = 0; round < ROUNDS; round++) {
      const { snapshot } = await makeImage(root);
      expect([...snapshot.files.values()].every(({ size }) => size === 6)).toBe(true);
    }
  });

  test('has the same bytes in image, ledger and ids however files grow and shrink', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'small'), 'x'.repeat(5000));
    writeFileSync(join(root, 'large'), 'y'.repeat(3 << 20));
    await runMeanwhile(
      'printf aaaaaaaa >> small; truncate -s 100 small; truncate -s 9000 small; truncate -s 1500000 large; truncate -s 4000000 large',
      root,
    );
    for (let round = 0; round < 40; round++) {
      const imageFile = join(temporaryFolder(), 'image') as HostPath;
      using project = openProject(root, { stateFolders: [] });
      // This target throws when bytes and id disagree.
      const blobs = new MemoryBlobs();
      const { snapshot } = await copyIn(project, { imageFile, owner: { uid: 0, gid: 0 }, blobs });
      const image = readFileSync(imageFile);
      for (const [path, file] of snapshot.files) {
        expect(image.includes(blobs.bytes(file.oid)), path).toBe(true);
        expect(blobs.bytes(file.oid).length, path).toBe(file.size);
      }
    }
  });
});

describe('a project that is made to harm', () => {
  test('can not make the copy read ignore rules from a FIFO, a link or a huge file', async () => {
    const root = temporaryFolder();
    for (const folder of ['fifo', 'link', 'huge']) {
      mkdirSync(join(root, folder));
      writeFileSync(join(root, folder, 'a.log'), '');
    }
    execFileSync('mkfifo', [join(root, 'fifo/.gitignore')]);
    writeFileSync(join(root, 'rules'), '*.log\n');
    symlinkSync('../rules', join(root, 'link/.gitignore'));
    execFileSync('sh', ['-c', 'echo "*.log" > huge/.gitignore; truncate -s 100M huge/.gitignore'], {
      cwd: root,
    });
    const { snapshot } = await makeImage(root);
    const files: string[] = [...snapshot.files.keys()];
    expect(files).toEqual(expect.arrayContaining(['fifo/a.log', 'link/a.log', 'huge/a.log']));
  });

  test('can not hang or crash it with a broken .git', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, '.git/info'), { recursive: true });
    for (const name of ['HEAD', 'index', 'config', 'packed-refs', 'info/exclude']) {
      execFileSync('mkfifo', [join(root, '.git', name)]);
    }
    writeFileSync(join(root, 'a'), '1');
    const { snapshot } = await makeImage(root);
    expect([...snapshot.files.keys()]).toEqual(['a']);
    expect(snapshot.skipped).toHaveLength(5);
  });

  test('can not send git for references outside of .git', async () => {
    const outside = temporaryFolder();
    writeFileSync(join(outside, 'x'), `${'a'.repeat(40)}\n`);
    const root = temporaryFolder();
    mkdirSync(join(root, '.git/refs'), { recursive: true });
    symlinkSync(outside, join(root, '.git/refs/heads'));
    writeFileSync(join(root, '.git/HEAD'), 'ref: refs/heads/x\n');
    expect((await makeImage(root)).snapshot.git.head).toBeUndefined();
    writeFileSync(join(root, '.git/HEAD'), `ref: refs/heads/../../..${outside}/x\n`);
    expect((await makeImage(root)).snapshot.git.head).toBeUndefined();
  });

  test('can not make it read the repository of somebody else', async () => {
    const other = temporaryFolder();
    execFileSync('git', ['init', '-q', '-b', 'private-branch', other]);
    const root = temporaryFolder();
    for (const target of [`${other}/.git`, '/proc/self', '/nowhere']) {
      writeFileSync(join(root, '.git'), `gitdir: ${target}\n`);
      const { snapshot, image } = await makeImage(root);
      expect(snapshot.git).toMatchObject({ kind: 'pointer', branch: undefined, head: undefined });
      expect(image.includes('private-branch')).toBe(false);
    }
  });

  test('keeps links that lead outside as links, and reads nothing behind them', async () => {
    const outside = temporaryFolder();
    writeFileSync(join(outside, 'secret'), CANARY);
    const root = temporaryFolder();
    symlinkSync(join(outside, 'secret'), join(root, 'file'));
    symlinkSync(outside, join(root, 'folder'));
    symlinkSync('/proc/self/root/etc', join(root, 'magic'));
    const { image, snapshot } = await makeImage(root);
    expect(image.includes(CANARY)).toBe(false);
    expect([...snapshot.files.values()].map(({ mode }) => mode)).toEqual(['120000', '120000', '120000']);
  });

  test('can not make it enter another file system', async (context) => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'mnt'));
    writeFileSync(join(root, 'a'), '1');
    const script = 'mount -t tmpfs none "$0/mnt" && echo 1 > "$0/mnt/inside" && exec "$1" "$2" "$0"';
    const child = new URL('../support/copy-in-child.ts', import.meta.url).pathname;
    const run = spawnSyncText('unshare', ['-rm', 'sh', '-c', script, root, process.execPath, child]);
    if (run === undefined) context.skip('needs unprivileged user namespaces');
    expect(JSON.parse(run ?? '')).toEqual({
      files: ['a'],
      skipped: [['mnt', 'mount', 'another file system']],
    });
  });
});

function spawnSyncText(file: string, args: string[]): string | undefined {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    // Not allowed here: the caller says so.
    return undefined;
  }
}
