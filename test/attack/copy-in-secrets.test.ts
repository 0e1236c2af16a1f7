import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HostPath, RelPath } from '../../src/base/path-bytes.ts';
import { copyIn, openProject } from '../../src/workspace/copy-in.ts';
import { extractImage, hasErofsTools, MemoryBlobs } from '../support/copy-in.ts';
import { temporaryFolder } from '../support/temp.ts';

const TOKEN = 'ghp_CanaryCanaryCanary0123456789abcdefgh';
const ENV = {
  PATH: process.env.PATH ?? '',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  HOME: '/',
};

function git(folder: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.org'];
  return execFileSync('git', ['-C', folder, ...identity, ...args], {
    env: ENV,
    encoding: 'utf8',
    stdio: 'pipe',
  });
}

function put(root: string, path: string, content: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), content);
}

async function makeImage(root: HostPath, shared: string[] = []) {
  using project = openProject(root, { stateFolders: [] });
  const imageFile = join(temporaryFolder(), 'image') as HostPath;
  const blobs = new MemoryBlobs();
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const { snapshot } = await copyIn(project, { imageFile, owner, blobs, shared: shared as RelPath[] });
  return { imageFile, image: readFileSync(imageFile), snapshot, blobs };
}

/** A repository with a token in every place of .git where git itself would leave one. */
function makeRepository(): HostPath {
  const root = temporaryFolder();
  put(root, 'a.txt', 'content\n');
  git(root, 'init', '-q', '-b', 'main');
  git(root, 'add', '-A');
  git(root, 'commit', '-q', '-m', 'first');
  const address = `https://user:${TOKEN}@host.example/x.git`;
  git(root, 'remote', 'add', 'origin', address);
  git(root, 'config', 'http.https://host.example/.extraheader', `AUTHORIZATION: basic ${TOKEN}`);
  git(root, 'config', `url.https://${TOKEN}@host.example/.insteadOf`, 'https://host.example/');
  git(root, 'config', 'credential.helper', `!echo password=${TOKEN}`);
  appendFileSync(join(root, '.git/config'), `# ${TOKEN}\n`);
  put(root, '.git/config.worktree', `[http]\n\textraheader = ${TOKEN}\n`);
  put(root, '.git/config.bak', `[remote "o"]\n\turl = ${address}\n[x]\n\ty = ${TOKEN}\n`);
  put(root, '.git/FETCH_HEAD', `abc\t\tbranch 'main' of ${address}\n`);
  appendFileSync(join(root, '.git/logs/HEAD'), `0 1 T <t> 1 +0000\tclone: from ${address}\n`);
  put(root, '.git/logs/refs/remotes/origin/HEAD', `0 1 T <t> 1 +0000\tclone: from ${address}\n`);
  put(root, '.git/modules/lib/foo/logs/refs/heads/main', `0 1 T <t> 1 +0000\tclone: from ${address}\n`);
  put(root, '.git/hooks/pre-push', `#!/bin/sh\nexport TOKEN=${TOKEN}\n`);
  put(root, '.git/modules/lib/foo/config', `[remote "origin"]\n\turl = ${address}\n`);
  put(root, '.git/modules/lib/foo/hooks/post-checkout', TOKEN);
  put(root, '.git/worktrees/other/config.worktree', TOKEN);
  put(root, '.git/credentials', address);
  put(root, '.git/.git-credentials', address);
  put(root, '.git/.env', `TOKEN=${TOKEN}`);
  put(root, '.git/branches/old', `${address}\n`);
  put(root, '.git/remotes/old', `URL: ${address}\n`);
  put(root, '.git/config.lock', TOKEN);
  put(root, '.git/huge.txt', 'x'.repeat(2 << 20) + TOKEN);
  put(root, 'vendored/.git/config', `[remote "origin"]\n\turl = ${address}\n`);
  return root;
}

describe('secrets stay on the host', () => {
  test('no token in the configuration of git, in logs or in hooks gets into the image', async () => {
    const root = makeRepository();
    const { image, snapshot } = await makeImage(root);
    expect(image.includes('content\n')).toBe(true);
    expect(image.includes('Canary')).toBe(false);
    expect(snapshot.git.left).toEqual(
      expect.arrayContaining([
        '.git/hooks',
        '.git/worktrees',
        '.git/config.lock',
        '.git/modules/lib/foo/hooks',
      ]),
    );
  });

  test('the same tokens do get into an image that is made without cleaning (the canary works)', async () => {
    const root = makeRepository();
    const naive = temporaryFolder();
    execFileSync('cp', ['-a', join(root, '.git'), join(naive, 'git')]);
    const { image } = await makeImage(naive);
    expect(image.includes(TOKEN)).toBe(true);
  });

  test.skipIf(!hasErofsTools)('the cleaned repository still works (needs fsck.erofs)', async () => {
    const root = makeRepository();
    const { imageFile } = await makeImage(root);
    const copy = join(temporaryFolder(), 'copy');
    extractImage(imageFile, copy);
    expect(git(copy, 'log', '--format=%s')).toBe('first\n');
    expect(git(copy, 'status', '--porcelain')).toBe('');
    expect(git(copy, 'remote', 'get-url', 'origin')).toBe('https://host.example/x.git\n');
    git(copy, 'fsck', '--strict');
  });

  test('no withheld file is in the image or in the ledger, by name or by content', async () => {
    const root = temporaryFolder();
    const key = `-----BEGIN PRIVATE KEY-----\n${TOKEN}\n`;
    put(root, '.env', `A=${TOKEN}`);
    put(root, 'deep/er/.env.production', `A=${TOKEN}`);
    put(root, 'tls/server.pem', key);
    put(root, 'deploy.key', key);
    put(root, '.npmrc', `//host/:_authToken=${TOKEN}`);
    put(root, '.aws/credentials', TOKEN);
    put(root, 'big.pem', 'x'.repeat(3 << 20) + TOKEN);
    put(root, 'node_modules/pkg/.env', TOKEN);
    put(root, '.gitignore', 'node_modules\n');
    symlinkSync('/somewhere/Canary', join(root, '.env.local'));
    put(root, 'kept.txt', 'kept');
    const { image, snapshot, blobs } = await makeImage(root);
    expect(image.includes('Canary')).toBe(false);
    for (const name of ['.env', 'server.pem', 'deploy.key', '.npmrc', 'credentials', 'big.pem']) {
      expect(image.includes(name), name).toBe(false);
    }
    expect([...snapshot.files.keys()].toSorted()).toEqual(['.gitignore', 'kept.txt']);
    expect(blobs.count).toBe(2);
    expect(snapshot.withheld).toHaveLength(9);
  });

  test('a withheld file comes along when the user shares it, and only that one', async () => {
    const root = temporaryFolder();
    put(root, '.env', 'A=shared');
    put(root, 'b/.env', 'A=other');
    put(root, 'keys/a.pem', 'in a shared folder');
    const { image, snapshot } = await makeImage(root, ['.env', 'keys']);
    expect(snapshot.withheld.map(({ path }) => path)).toEqual(['b/.env']);
    expect(image.includes('A=shared')).toBe(true);
    expect(image.includes('in a shared folder')).toBe(true);
    expect(image.includes('A=other')).toBe(false);
  });

  test('a link in .git can not smuggle configuration past the cleaning', async () => {
    const root = temporaryFolder();
    git(root, 'init', '-q');
    execFileSync('mv', [join(root, '.git/config'), join(root, '.git/real')]);
    symlinkSync('real', join(root, '.git/config'));
    const { snapshot } = await makeImage(root);
    expect(snapshot.git.left).toContain('.git/config');
  });
});
