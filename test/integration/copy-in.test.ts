import { execFileSync, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isSafeCoderError } from '../../src/base/errors.ts';
import type { HostPath, RelPath } from '../../src/base/path-bytes.ts';
import { type CopyInOptions, copyIn, EntryStream, openProject } from '../../src/workspace/copy-in.ts';
import { copyProject, describeTree, hasErofsTools, MemoryBlobs, takeMadeGit } from '../support/copy-in.ts';
import { asOrdinaryUser, canBecomeOrdinary } from '../support/ordinary-user.ts';
import { temporaryFolder } from '../support/temp.ts';

const ENV = {
  PATH: process.env.PATH ?? '',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  HOME: '/',
};

/** A folder with the given files; a name that ends in a slash is a directory. */
function makeTree(files: Record<string, string>): HostPath {
  const root = temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    const full = join(root, path);
    mkdirSync(path.endsWith('/') ? full : join(full, '..'), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(full, content);
  }
  return root;
}

/** A folder in memory where there is one: making thousands of files on a disk takes long. */
function memoryFolder(): HostPath {
  if (!existsSync('/dev/shm')) return temporaryFolder();
  const folder = mkdtempSync('/dev/shm/sc-test-');
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder as HostPath;
}

/** Three thousand small files: enough to take more than one turn. */
function makeManyFiles(): HostPath {
  const root = memoryFolder();
  for (let folder = 0; folder < 50; folder++) mkdirSync(join(root, `d${folder}`));
  for (let file = 0; file < 3000; file++) writeFileSync(join(root, `d${file % 50}/f${file}`), 'x');
  return root;
}

function git(folder: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=T', '-c', 'user.email=t@example.org'];
  return execFileSync('git', ['-C', folder, ...identity, ...args], {
    env: ENV,
    encoding: 'utf8',
    stdio: 'pipe',
  });
}

/** Copies a project as a backend without images does it, and gathers what it would unpack. */
async function streamProject(root: HostPath, options: Partial<CopyInOptions> = {}) {
  using project = openProject(root, { stateFolders: [] });
  const blobs = new MemoryBlobs();
  const spoolFile = join(temporaryFolder(), 'spool') as HostPath;
  const stream = new EntryStream(project, { ...options, blobs, spoolFile });
  const entries = new Map<string, { kind: string; mode: number; content: string }>();
  for await (const entry of stream.entries()) {
    let content = entry.kind === 'symlink' ? entry.target : '';
    if (entry.kind === 'file')
      for await (const chunk of entry.content) content += Buffer.from(chunk).toString('latin1');
    entries.set(entry.path, { kind: entry.kind, mode: entry.mode, content });
  }
  return { entries, snapshot: stream.snapshot, blobs, spoolFile };
}

/** What an open file of this process is. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // The descriptor that listed the folder is gone by now.
    return '';
  }
}

/** Paths that a snapshot wants in the ledger. */
function paths(snapshot: { files: ReadonlyMap<RelPath, unknown> }): string[] {
  return [...snapshot.files.keys()].toSorted();
}

describe.skipIf(!hasErofsTools)('a project copied into an image (needs fsck.erofs)', () => {
  test('holds every file, link, mode, time and odd name of the project', async () => {
    const root = makeTree({ 'a.txt': 'one', empty: '', 'src/deep/er/x.ts': 'x'.repeat(9000), 'bare/': '' });
    chmodSync(join(root, 'a.txt'), 0o755);
    utimesSync(join(root, 'a.txt'), 1_600_000_000, 1_600_000_000);
    symlinkSync('../outside/secret', join(root, 'out'));
    symlinkSync('.', join(root, 'loop'));
    symlinkSync('y'.repeat(4050), join(root, 'long'));
    const odd = [
      'new\nline',
      '\x1b[31mred',
      '-rf',
      ' blank ',
      'é',
      '日本',
      '"quoted"',
      'a\\b',
      'x'.repeat(255),
    ];
    for (const name of odd) writeFileSync(join(root, name), name);
    for (const bytes of [
      [0xff, 0xfe],
      [0x61, 0xe9],
      [0xc3, 0x28],
    ]) {
      writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(bytes)]), 'bytes');
    }

    const { tree, snapshot, blobs } = await copyProject(root);

    expect(tree).toEqual(describeTree(root));
    expect(snapshot.files.size).toBe(3 + 3 + odd.length + 3);
    expect(snapshot.files.get('a.txt' as RelPath)).toMatchObject({ mode: '100755', size: 3 });
    for (const [path, file] of snapshot.files) expect(blobs.bytes(file.oid), path).toHaveLength(file.size);
  });

  test('may be empty', async () => {
    const { tree, madeGit, snapshot, extracted } = await copyProject(temporaryFolder());
    expect(tree.size).toBe(0);
    expect(madeGit).toEqual(['.git', '.git/HEAD', '.git/config', '.git/objects', '.git/refs']);
    expect(git(extracted, 'status', '--short', '--branch')).toBe('## No commits yet on main\n');
    expect(snapshot).toMatchObject({ entries: 0, bytes: 0, withheld: [], skipped: [], warnings: [] });
  });

  test('holds large files and holes, with the ids of their bytes', async () => {
    const root = makeTree({ 'random.bin': '' });
    const random = Buffer.from(Array.from({ length: 3_000_001 }, (_, at) => (at * 7919) % 251));
    writeFileSync(join(root, 'random.bin'), random);
    writeFileSync(join(root, 'exact.bin'), random.subarray(0, 2 << 20));
    writeFileSync(join(root, 'sparse.bin'), 'begin');
    truncateSync(join(root, 'sparse.bin'), 20 << 20);
    appendFileSync(join(root, 'sparse.bin'), 'end');
    truncateSync(join(root, 'sparse.bin'), (30 << 20) + 1);
    const { tree, snapshot, blobs, imageFile } = await copyProject(root);
    expect(tree).toEqual(describeTree(root));
    expect(blobs.bytes(snapshot.files.get('random.bin' as RelPath)?.oid ?? '')).toEqual(random);
    expect(statSync(imageFile).blocks * 512).toBeLessThan(12 << 20);
  });

  test('holds a sparse file of a gigabyte without taking a gigabyte', async () => {
    const root = temporaryFolder();
    writeFileSync(join(root, 'huge'), '');
    truncateSync(join(root, 'huge'), 1 << 30);
    using project = openProject(root, { stateFolders: [] });
    const imageFile = join(temporaryFolder(), 'image') as HostPath;
    const options = { imageFile, owner: { uid: 0, gid: 0 }, blobs: new MemoryBlobs() };
    const { snapshot, imageBytes } = await copyIn(project, options);
    expect(imageBytes).toBeGreaterThan(1 << 30);
    expect(statSync(imageFile).blocks * 512).toBeLessThan(1 << 20);
    expect(snapshot.skipped).toEqual([
      { path: 'huge', reason: 'too-large', detail: 'in the guest, but not in the ledger' },
    ]);
    expect(snapshot.files.size).toBe(0);
  });

  test('holds fifty thousand files', async () => {
    const root = memoryFolder();
    for (let folder = 0; folder < 50; folder++) {
      mkdirSync(join(root, `d${folder}`));
      for (let file = 0; file < 1000; file++)
        writeFileSync(join(root, `d${folder}/f${file}`), `${file % 10}`);
    }
    using project = openProject(root, { stateFolders: [] });
    const imageFile = join(memoryFolder(), 'image') as HostPath;
    const blobs = new MemoryBlobs();
    const { snapshot } = await copyIn(project, { imageFile, owner: { uid: 0, gid: 0 }, blobs });
    expect(snapshot.files.size).toBe(50_000);
    expect(snapshot.entries).toBe(50_050);
    expect(blobs.count).toBe(10);
    execFileSync('fsck.erofs', ['--extract', imageFile], { stdio: 'pipe' });
    expect(execFileSync('dump.erofs', ['-S', imageFile], { encoding: 'utf8' })).toMatch(/others\s+50002 /);
  });

  test('names FIFOs, sockets and devices, and waits for none of them', async () => {
    const root = makeTree({ a: '1' });
    execFileSync('mkfifo', [join(root, 'fifo')]);
    const server = createServer().listen(join(root, 'socket'));
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const isDevice = spawnSync('mknod', [join(root, 'device'), 'c', '1', '5']).status === 0;
    const { snapshot, tree } = await copyProject(root);
    const skipped = [...snapshot.skipped].map(({ path, detail }) => `${path}: ${detail}`).toSorted();
    expect(skipped).toEqual([...(isDevice ? ['device: device'] : []), 'fifo: FIFO', 'socket: socket']);
    expect([...tree.keys()]).toEqual(['a']);
  });

  test('names what is too deep, and what lies there does not keep it from the rest', async () => {
    const root = makeTree({ z: '1' });
    mkdirSync(join(root, 'd/'.repeat(140)), { recursive: true });
    const { snapshot, tree } = await copyProject(root);
    expect(snapshot.skipped).toMatchObject([{ reason: 'too-deep' }]);
    expect(tree.has('z')).toBe(true);
  });

  test('holds the same when it is copied twice', async () => {
    const root = makeTree({ a: '1', 'b/c': '2' });
    const [first, second] = [await copyProject(root), await copyProject(root)];
    expect(readFileSync(first.imageFile).equals(readFileSync(second.imageFile))).toBe(true);
  });

  test('can be mounted by the kernel', async (context) => {
    const root = makeTree({ 'a b': '1', 'd/e': 'x'.repeat(10_000) });
    symlinkSync('d/e', join(root, 'link'));
    const { imageFile } = await copyProject(root);
    const folder = temporaryFolder();
    if (spawnSync('mount', ['-o', 'loop,ro', '-t', 'erofs', imageFile, folder]).status !== 0) {
      context.skip('needs root and a kernel with loop devices and EROFS');
    }
    onTestFinished(() => void spawnSync('umount', [folder]));
    const mounted = describeTree(folder);
    expect(takeMadeGit(mounted)).toContain('.git/HEAD');
    expect(mounted).toEqual(describeTree(root));
  });
});

describe('a project copied as a stream', () => {
  test('holds what the image would hold', async () => {
    const root = makeTree({ a: 'one', 'd/e/f': 'two', empty: '', '.env': 'S=1' });
    writeFileSync(join(root, 'large'), Buffer.alloc(3 << 20, 'ab'));
    writeFileSync(join(root, 'large2'), Buffer.alloc((2 << 20) + 5, 'cd'));
    symlinkSync('a', join(root, 'link'));
    const { entries, snapshot, blobs, spoolFile } = await streamProject(root);
    expect(takeMadeGit(entries)).toContain('.git/HEAD');
    expect([...entries.keys()].toSorted()).toEqual([
      'a',
      'd',
      'd/e',
      'd/e/f',
      'empty',
      'large',
      'large2',
      'link',
    ]);
    expect(entries.get('d/e/f')).toMatchObject({ kind: 'file', content: 'two' });
    expect(entries.get('link')).toMatchObject({ kind: 'symlink', content: 'a' });
    for (const [path, file] of snapshot.files) {
      expect(blobs.bytes(file.oid).toString('latin1') === entries.get(path)?.content, path).toBe(true);
    }
    expect(existsSync(spoolFile)).toBe(false);
  });
});

describe('what is recorded of a project', () => {
  test('leaves out ignored files unless git tracks them, and what is in a .git', async () => {
    const root = makeTree({
      '.gitignore': '*.log\nbuild/\n',
      'a.ts': '1',
      'b.log': '2',
      'tracked.log': '3',
      'build/x/y': '4',
      'build/kept': '5',
      'sub/.gitignore': '!c.log\n',
      'sub/c.log': '6',
      'local.txt': '7',
    });
    git(root, 'init', '-q', '-b', 'main');
    writeFileSync(join(root, '.git/info/exclude'), 'local.txt\n');
    git(root, 'add', '-f', 'a.ts', 'tracked.log', 'build/kept');
    git(root, 'commit', '-q', '-m', 'first');
    const { snapshot, entries } = await streamProject(root);
    expect(paths(snapshot)).toEqual([
      '.gitignore',
      'a.ts',
      'build/kept',
      'sub/.gitignore',
      'sub/c.log',
      'tracked.log',
    ]);
    expect([...snapshot.ignored].toSorted()).toEqual(['b.log', 'build', 'local.txt']);
    expect(entries.get('build/x/y')?.content).toBe('4');
    expect(snapshot.isIgnored('new.log' as RelPath, false)).toBe(true);
    expect(snapshot.isIgnored('tracked.log' as RelPath, false)).toBe(false);
    expect(snapshot.isIgnored('build/deep/er' as RelPath, false)).toBe(true);
    expect(snapshot.isIgnored('sub/new.log' as RelPath, false)).toBe(true);
    expect(snapshot.git).toMatchObject({ kind: 'directory', branch: 'main', objectFormat: 'sha1' });
    expect(snapshot.git.head).toBe(git(root, 'rev-parse', 'HEAD').trim());
    expect(snapshot.git.indexed.has(snapshot.files.get('a.ts' as RelPath)?.oid ?? '')).toBe(true);
  });

  test.each(['sha1', 'sha256'] as const)('has the ids that git gives, with %s', async (format) => {
    const root = makeTree({ a: 'one\n', 'd/b': '', é: 'x'.repeat(100_000) });
    symlinkSync('a', join(root, 'l'));
    git(root, 'init', '-q', `--object-format=${format}`);
    git(root, 'add', '-A');
    using project = openProject(root, { stateFolders: [] });
    const blobs = new MemoryBlobs(project.git.objectFormat);
    const imageFile = join(temporaryFolder(), 'image') as HostPath;
    const { snapshot } = await copyIn(project, { imageFile, owner: { uid: 1, gid: 1 }, blobs });
    const ours = [...snapshot.files].map(([path, { mode, oid }]) => `${mode} ${oid} 0\t${path}`);
    const theirs = git(root, 'ls-files', '--stage', '-z').split('\0').slice(0, -1);
    expect(ours.toSorted()).toEqual(theirs.toSorted());
  });

  test('writes no blob that the target has', async () => {
    const root = makeTree({ a: 'same', b: 'same', c: 'other' });
    const { snapshot } = await streamProject(root);
    const known = snapshot.files.get('a' as RelPath)?.oid;
    const written: string[] = [];
    using project = openProject(root, { stateFolders: [] });
    const blobs = {
      objectFormat: 'sha1',
      has: (oid: string) => oid === known,
      write: (oid: string) => void written.push(oid),
    } as const;
    await copyIn(project, {
      imageFile: join(temporaryFolder(), 'i') as HostPath,
      owner: { uid: 1, gid: 1 },
      blobs,
    });
    expect(written).toEqual([snapshot.files.get('c' as RelPath)?.oid]);
  });

  test('waits for a target that takes its time, and keeps the bytes for it', async () => {
    const root = makeTree(
      Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`f${at}`, `content ${at}`])),
    );
    const memory = new MemoryBlobs();
    const blobs = {
      objectFormat: 'sha1' as const,
      has: () => false,
      async write(oid: string, size: number, chunks: Iterable<Uint8Array>) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        memory.write(oid, size, chunks);
      },
    };
    using project = openProject(root, { stateFolders: [] });
    await copyIn(project, {
      imageFile: join(temporaryFolder(), 'i') as HostPath,
      owner: { uid: 1, gid: 1 },
      blobs,
    });
    expect(memory.count).toBe(20);
  });

  test('warns of a withheld file whose history comes along', async () => {
    const root = makeTree({ '.env': 'S=1', 'other.pem': 'x' });
    git(root, 'init', '-q');
    git(root, 'add', '.env');
    const { snapshot } = await streamProject(root);
    expect(snapshot.withheld.map(({ path }) => path).toSorted()).toEqual(['.env', 'other.pem']);
    expect(snapshot.warnings).toHaveLength(1);
    expect(snapshot.warnings[0]).toContain('.env');
  });

  test('starts an empty repository for a worktree, and says so', async () => {
    const main = makeTree({ '.gitignore': '*.log\n', a: '1', 'tracked.log': '2' });
    git(main, 'init', '-q', '-b', 'main');
    git(main, 'add', '-f', '.');
    git(main, 'commit', '-q', '-m', 'first');
    const tree = join(temporaryFolder(), 'tree') as HostPath;
    git(main, 'worktree', 'add', '-q', '-b', 'topic', tree);
    const { entries, snapshot } = await streamProject(tree);
    expect(snapshot.git).toMatchObject({ kind: 'pointer', branch: 'topic', objectsFolder: undefined });
    expect(snapshot.git.head).toBe(git(main, 'rev-parse', 'HEAD').trim());
    expect(paths(snapshot)).toEqual(['.gitignore', 'a', 'tracked.log']);
    expect(snapshot.warnings).toHaveLength(1);
    expect(entries.get('.git/HEAD')?.content).toMatch(/^ref: refs\/heads\//);
    const copy = makeTree({});
    for (const [path, { kind, content }] of entries) {
      if (kind === 'directory') mkdirSync(join(copy, path));
      else writeFileSync(join(copy, path), content);
    }
    expect(git(copy, 'status', '--porcelain')).toBe('?? .gitignore\n?? a\n');
  });
});

describe('copying in', () => {
  test('refuses a project with too many files, naming the biggest folder and the way out', async () => {
    const root = makeTree({ 'a/1': '', 'big/1': 'x'.repeat(100), 'big/2': '', 'big/3': '' });
    const failure = await streamProject(root, { limits: { maxEntries: 4 } }).catch((error: unknown) => error);
    expect(isSafeCoderError(failure, 'workspace/too-large')).toBe(true);
    expect(String(failure)).toContain('Biggest: big (100 B in 3 files)');
    expect(failure).toHaveProperty('hint', expect.stringContaining('--path'));
  });

  test('refuses too many bytes before it reads them, and leaves no image', async () => {
    const root = makeTree({ a: '' });
    truncateSync(join(root, 'a'), 2 ** 40);
    using project = openProject(root, { stateFolders: [] });
    const imageFile = join(temporaryFolder(), 'image') as HostPath;
    const options = { imageFile, owner: { uid: 0, gid: 0 }, blobs: new MemoryBlobs() };
    await expect(copyIn(project, options)).rejects.toMatchObject({ code: 'workspace/too-large' });
    expect(existsSync(imageFile)).toBe(false);
  });

  test('stops when it is cancelled, and leaves no image', async () => {
    const root = makeManyFiles();
    using project = openProject(root, { stateFolders: [] });
    const imageFile = join(temporaryFolder(), 'image') as HostPath;
    const abort = new AbortController();
    const options = { imageFile, owner: { uid: 0, gid: 0 }, blobs: new MemoryBlobs(), signal: abort.signal };
    const copying = copyIn(project, { ...options, onProgress: () => abort.abort() });
    await expect(copying).rejects.toMatchObject({ code: 'cancelled' });
    expect(existsSync(imageFile)).toBe(false);
  });

  test('lets others work meanwhile', async () => {
    const root = makeManyFiles();
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    await streamProject(root);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(2);
  });

  test('leaves no open file behind, even when it fails', async () => {
    const root = makeTree({ 'a/b/c/d': '1', 'a/b/e': '2' });
    const held = () =>
      readdirSync('/proc/self/fd')
        .map(linkOf)
        .filter((target) => target.startsWith(root));
    await streamProject(root);
    await expect(streamProject(root, { limits: { maxEntries: 3 } })).rejects.toThrow();
    expect(held()).toEqual([]);
    using project = openProject(root, { stateFolders: [] });
    expect(held()).toEqual([project.root]);
  });

  test('reads what an ordinary user may, and names the rest', async (context) => {
    if (process.getuid?.() === 0 && !canBecomeOrdinary()) {
      context.skip('as root everything is readable, and there is no setpriv to become somebody else');
    }
    const root = makeTree({ open: '1', closed: '2', 'locked/in': '3', 'passable/in': '4' });
    for (const folder of [root, join(root, '..')]) chmodSync(folder, lstatSync(folder).mode | 0o055);
    chmodSync(join(root, 'closed'), 0);
    chmodSync(join(root, 'locked'), 0);
    chmodSync(join(root, 'passable'), 0o111);
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    const script = new URL('../support/copy-in-child.ts', import.meta.url).pathname;
    const through = process.getuid?.() === 0 ? asOrdinaryUser() : [];
    const [file = '', ...argv] = [...through, process.execPath, script, root];
    const run = spawnSync(file, argv, { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(JSON.parse(run.stdout)).toEqual({
      files: ['open'],
      skipped: [
        ['closed', 'unreadable', 'EACCES'],
        ['locked', 'unreadable', 'EACCES'],
        ['passable', 'unreadable', 'EACCES'],
      ],
    });
  });
});

describe('opening a project', () => {
  test.each([
    ['nothing', 'none', 'usage/no-such-path'],
    ['a file', 'file', 'usage/not-a-directory'],
    ['something below a file', 'file/below', 'usage/no-such-path'],
    ['a loop of links', 'loop', 'workspace/unreadable'],
  ])('refuses %s', (_, name, code) => {
    const root = makeTree({ file: '' });
    symlinkSync('loop', join(root, 'loop'));
    const open = () => openProject(join(root, name) as HostPath, { stateFolders: [] });
    expect(open).toThrow(expect.objectContaining({ code }));
  });

  test('refuses unsafe folders also when a link leads to them', () => {
    const root = temporaryFolder();
    symlinkSync('/etc', join(root, 'etc'));
    symlinkSync(root, join(root, 'home'));
    const open = (path: string) => () => openProject(path as HostPath, { home: root, stateFolders: [] });
    for (const path of ['/', '/usr', join(root, 'etc'), root, join(root, 'home')]) {
      expect(open(path), path).toThrow(expect.objectContaining({ code: 'workspace/unsafe-root' }));
    }
  });
});
