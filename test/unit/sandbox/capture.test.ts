import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SafeCoderError } from '../../../src/base/errors.ts';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import { type CaptureLimits, Capturer } from '../../../src/sandbox/capture.ts';
import type { BaseFile, BaseManifest } from '../../../src/sandbox/project-source.ts';
import type { Capture } from '../../../src/sandbox/sandbox.ts';
import { blobId, MemorySink } from '../../support/memory-sink.ts';
import { ModelGuest, type ModelNode } from '../../support/model-guest.ts';

const file = (content: string, mode = 0o644): ModelNode => ({ kind: 'file', content, mode });
const DIRECTORY: ModelNode = { kind: 'directory', isOpaque: false };

function fileState(node: ModelNode): BaseFile {
  const bytes = Buffer.from(node.kind === 'file' ? node.content : node.kind === 'symlink' ? node.target : '');
  const mode =
    node.kind === 'symlink'
      ? '120000'
      : node.kind === 'file' && (node.mode & 0o100) !== 0
        ? '100755'
        : '100644';
  return { mode, oid: blobId(bytes), size: bytes.length };
}

/** The base's rules in these tests: whatever is named `ignored`, and what is below it. */
const isIgnored = (path: string) => path.split('/').includes('ignored');

function manifestOf(base: Record<string, ModelNode>): BaseManifest {
  const files = new Map<RelPath, BaseFile>();
  for (const [path, node] of Object.entries(base)) {
    if (path.startsWith('.git/')) continue;
    if (node.kind === 'file' || node.kind === 'symlink') files.set(path as RelPath, fileState(node));
  }
  return { files, isIgnored: (path) => isIgnored(path) };
}

const BASE: Record<string, ModelNode> = {
  'a.txt': file('a'),
  'run.sh': file('#!', 0o755),
  link: { kind: 'symlink', target: 'a.txt' },
  'd/one': file('1'),
  'd/two': file('2'),
  'd/deep/three': file('3'),
  'tracked/ignored/file': file('tracked'),
};

class Bench {
  readonly model: ModelGuest;
  readonly sink = new MemorySink();
  readonly capturer: Capturer;
  /** What a ledger would hold: the base with every capture applied. */
  readonly tree: Map<string, BaseFile>;

  constructor(mode: 'overlay' | 'walk', base = BASE, limits: Partial<CaptureLimits> = {}) {
    this.model = new ModelGuest(mode, base);
    const manifest = manifestOf(base);
    this.tree = new Map(manifest.files);
    this.capturer = new Capturer(this.model.asGuest(), manifest, {
      mode,
      limits,
      now: () => this.model.nowNs,
    });
  }

  static async learned(
    mode: 'overlay' | 'walk',
    base = BASE,
    limits: Partial<CaptureLimits> = {},
  ): Promise<Bench> {
    const bench = new Bench(mode, base, limits);
    // Everything was put in long before.
    bench.later();
    await bench.capturer.learn();
    return bench;
  }

  later(): void {
    this.model.nowNs += 10_000_000_000n;
  }

  async capture(options: { sweep?: boolean; alsoWrote?: string[] } = {}): Promise<Capture> {
    const alsoWrote = (options.alsoWrote ?? []) as RelPath[];
    const capture = await this.capturer.capture(this.sink, { sweep: options.sweep ?? false, alsoWrote });
    for (const path of capture.removed) {
      // A ledger refuses to remove what it doesn't have.
      expect(this.tree.delete(path)).toBe(true);
    }
    for (const { path, mode, oid, size } of capture.written) this.tree.set(path, { mode, oid, size });
    return capture;
  }

  /** What a full walk of the workspace finds. */
  walk(forced: string[] = []): Map<string, BaseFile> {
    const found = new Map<string, BaseFile>();
    for (const path of this.model.paths()) {
      const node = this.model.at(path);
      if (node?.kind !== 'file' && node?.kind !== 'symlink') continue;
      if (isIgnored(path) && !(path in BASE) && !forced.includes(path)) continue;
      found.set(path, fileState(node));
    }
    return found;
  }

  expectTreeIsWalk(forced: string[] = []): void {
    const sorted = (map: Map<string, BaseFile>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(sorted(this.tree)).toEqual(sorted(this.walk(forced)));
  }
}

const paths = (capture: Capture) => ({
  written: capture.written.map(({ path }) => path),
  removed: capture.removed,
});

describe.each(['overlay', 'walk'] as const)('capture by %s', (mode) => {
  it('finds nothing and reads nothing when nothing changed', async () => {
    const bench = await Bench.learned(mode);
    bench.model.fetched = [];
    const capture = await bench.capture();
    expect(paths(capture)).toEqual({ written: [], removed: [] });
    expect(capture.skipped).toEqual([]);
    // The very last files of the set-up are read again, as anything could share their stamps.
    expect(bench.model.fetched.length).toBeLessThanOrEqual(Object.keys(BASE).length);
  });

  it('captures new, changed, mode-changed and removed files and symlinks, sorted', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('z-new', file('new'));
    bench.model.put('a.txt', file('changed'));
    bench.model.put('d/one', file('1', 0o755));
    bench.model.remove('run.sh');
    bench.model.remove('link');
    bench.model.put('link', { kind: 'symlink', target: 'elsewhere' });
    const capture = await bench.capture();
    expect(paths(capture)).toEqual({ written: ['a.txt', 'd/one', 'link', 'z-new'], removed: ['run.sh'] });
    expect(capture.written.map(({ mode: m }) => m)).toEqual(['100644', '100755', '120000', '100644']);
    expect(bench.sink.text(capture.written[2]?.oid ?? '')).toBe('elsewhere');
    bench.expectTreeIsWalk();
  });

  it('turns a file into a directory and a directory into a file', async () => {
    const bench = await Bench.learned(mode);
    bench.model.remove('a.txt');
    bench.model.put('a.txt', DIRECTORY);
    bench.model.put('a.txt/inner', file('i'));
    bench.model.remove('d');
    bench.model.put('d', file('was a directory'));
    const capture = await bench.capture();
    expect(paths(capture)).toEqual({
      written: ['a.txt/inner', 'd'],
      removed: ['a.txt', 'd/deep/three', 'd/one', 'd/two'],
    });
    bench.expectTreeIsWalk();
  });

  it('removes everything below a directory that was removed, and what a new one in its place does not have', async () => {
    const bench = await Bench.learned(mode);
    bench.model.remove('d');
    expect(paths(await bench.capture()).removed).toEqual(['d/deep/three', 'd/one', 'd/two']);
    bench.model.put('d', DIRECTORY);
    bench.model.put('d/one', file('again'));
    expect(paths(await bench.capture())).toEqual({ written: ['d/one'], removed: [] });
    bench.expectTreeIsWalk();
  });

  it('goes back to the base when a file does', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('a.txt', file('changed'));
    bench.model.remove('d/one');
    await bench.capture();
    bench.later();
    bench.model.put('a.txt', file('a'));
    bench.model.put('d/one', file('1'));
    expect(paths(await bench.capture())).toEqual({ written: ['a.txt', 'd/one'], removed: [] });
    bench.expectTreeIsWalk();
    expect(paths(await bench.capture())).toEqual({ written: [], removed: [] });
  });

  it('names what it can’t capture, once, with the reason', async () => {
    const bench = await Bench.learned(mode, BASE, { maxFileBytes: 10 });
    bench.model.put('pipe', { kind: 'special' });
    bench.model.put('huge', file('x'.repeat(11)));
    bench.model.put('locked', { kind: 'unreadable', errno: 13 });
    bench.model.put('empty', DIRECTORY);
    bench.model.put('suid', file('s', 0o4755));
    bench.model.put('mnt', { kind: 'directory', isOpaque: false, isMount: true });
    bench.model.put('sub', DIRECTORY);
    bench.model.put('sub/.git', DIRECTORY);
    bench.model.put('sub/.git/HEAD', file('ref'));
    bench.model.put('sub/.git/config', file('c'));
    bench.model.put('sub/code', file('code'));
    const capture = await bench.capture();
    expect(capture.skipped).toEqual([
      { path: 'empty', reason: 'empty-directory' },
      { path: 'huge', reason: 'too-large', detail: '11 bytes' },
      { path: 'locked', reason: 'unreadable', detail: 'EACCES' },
      { path: 'mnt', reason: 'mount' },
      { path: 'pipe', reason: 'special' },
      { path: 'sub/.git', reason: 'nested-git', detail: '2 files' },
      { path: 'suid', reason: 'setuid', detail: 'mode 4755' },
    ]);
    expect(paths(capture)).toEqual({ written: ['sub/code', 'suid'], removed: [] });
    expect(capture.written[1]?.mode).toBe('100755');
    expect((await bench.capture()).skipped).toEqual([]);
    const again = (await bench.capture({ sweep: true })).skipped.map(({ reason }) => reason);
    expect(again).toEqual(['too-large', 'unreadable', 'mount', 'special', 'nested-git', 'setuid']);
  });

  it('keeps the last known content of a file that can’t be captured any more', async () => {
    const bench = await Bench.learned(mode, BASE, { maxFileBytes: 10 });
    bench.model.put('a.txt', file('short'));
    await bench.capture();
    bench.model.put('a.txt', file('x'.repeat(100)));
    bench.model.remove('d');
    bench.model.put('d', { kind: 'unreadable', errno: 13 });
    const capture = await bench.capture();
    expect(paths(capture)).toEqual({ written: [], removed: [] });
    expect(capture.skipped.map(({ path, reason }) => [path, reason])).toEqual([
      ['a.txt', 'too-large'],
      ['d', 'unreadable'],
    ]);
  });

  it('counts what the base ignores, prunes it, and captures it when a file tool wrote it', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('ignored', DIRECTORY);
    for (let n = 0; n < 8; n++) bench.model.put(`ignored/${n}`, file(`${n}`));
    bench.model.put('d/ignored', file('i'));
    const first = await bench.capture();
    expect(paths(first)).toEqual({ written: [], removed: [] });
    expect(first.ignored.count).toBe(9);
    expect(first.ignored.examples).toHaveLength(5);
    const second = await bench.capture();
    expect(bench.model.pruned).toEqual(['ignored']);
    expect(second.ignored.count).toBe(9);
    // Pruned, and captured all the same; from then on followed.
    bench.model.put('ignored/3', file('by a tool'));
    expect(paths(await bench.capture({ alsoWrote: ['ignored/3'] })).written).toEqual(['ignored/3']);
    bench.model.put('ignored/3', file('and again'));
    expect(paths(await bench.capture()).written).toEqual(['ignored/3']);
    bench.expectTreeIsWalk(['ignored/3']);
    bench.model.remove('ignored/3');
    expect(paths(await bench.capture()).removed).toEqual(['ignored/3']);
    bench.expectTreeIsWalk();
  });

  it('captures what the base tracks in a directory that its rules ignore', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('tracked/ignored/file', file('new'));
    bench.model.put('tracked/ignored/other', file('ignored'));
    const capture = await bench.capture();
    expect(paths(capture).written).toEqual(['tracked/ignored/file']);
    expect(capture.ignored.count).toBe(1);
    await bench.capture();
    expect(bench.model.pruned).toEqual([]);
  });

  it('reads a file again when another change could hide behind its stamps, and only then', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('a.txt', file('one'));
    await bench.capture();
    bench.model.sneak('a.txt', 'two');
    bench.later();
    expect(paths(await bench.capture()).written).toEqual(['a.txt']);
    bench.model.fetched = [];
    await bench.capture();
    expect(bench.model.fetched).toEqual([]);
  });

  it('keeps reading a file again for as long as its last change is young', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('a.txt', file('one'));
    await bench.capture();
    bench.model.nowNs += 1_000_000_000n;
    await bench.capture();
    bench.model.sneak('a.txt', 'two');
    bench.later();
    expect(paths(await bench.capture()).written).toEqual(['a.txt']);
  });

  it('is not fooled by a slow clock in the guest when it first sees a change', async () => {
    const bench = await Bench.learned(mode);
    const model = bench.model;
    const capturer = new Capturer(model.asGuest(), manifestOf(BASE), {
      mode,
      // The host is a minute ahead: by its clock no change is young.
      now: () => model.nowNs + 60_000_000_000n,
    });
    model.put('a.txt', file('one'));
    await capturer.capture(bench.sink, { sweep: false, alsoWrote: [] });
    model.sneak('a.txt', 'two');
    const { written } = await capturer.capture(bench.sink, { sweep: false, alsoWrote: [] });
    expect(written.map(({ path }) => path)).toEqual(['a.txt']);
  });

  it('leaves nothing out of a sweep', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('ignored', DIRECTORY);
    bench.model.put('ignored/1', file('1'));
    await bench.capture();
    bench.model.put('ignored/2', file('2'));
    expect((await bench.capture({ sweep: true })).ignored.count).toBe(2);
    expect(bench.model.pruned).toEqual([]);
  });

  it('stops a guest that sends more than it listed', async () => {
    const bench = await Bench.learned(mode, BASE, { maxFileBytes: 10, maxTotalBytes: 20 });
    bench.model.liesAboutSizes = true;
    for (let n = 0; n < 10; n++) bench.model.put(`new-${n}`, file('ten bytes.'));
    await expect(bench.capture()).rejects.toMatchObject({ code: 'guest/limit' });
  });

  it('finds in a sweep, with the guest frozen, what stamps hide', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('a.txt', file('one'));
    await bench.capture();
    bench.later();
    await bench.capture();
    bench.later();
    bench.model.sneak('a.txt', 'two');
    expect(paths(await bench.capture()).written).toEqual([]);
    let wasFrozen = false;
    bench.model.afterList = () => {
      wasFrozen = bench.model.isFrozen;
    };
    const sweep = await bench.capture({ sweep: true });
    expect(paths(sweep).written).toEqual(['a.txt']);
    expect(sweep.isSweep).toBe(true);
    expect(wasFrozen).toBe(true);
    expect(bench.model.isFrozen).toBe(false);
    bench.expectTreeIsWalk();
  });

  it('changes nothing when the sink fails, and finds it all the next time', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('a.txt', file('one'));
    bench.model.put('b.txt', file('two'));
    bench.model.remove('run.sh');
    bench.sink.failAfter = 1;
    await expect(bench.capture({ sweep: true })).rejects.toThrow('no space left');
    expect(bench.model.isFrozen).toBe(false);
    expect(paths(await bench.capture())).toEqual({ written: ['a.txt', 'b.txt'], removed: ['run.sh'] });
    bench.expectTreeIsWalk();
  });

  it('leaves for the next time what is beyond the budget of one capture', async () => {
    const bench = await Bench.learned(mode, BASE, { maxTotalBytes: 10 });
    for (const name of ['x', 'y', 'z']) bench.model.put(name, file(name.repeat(6)));
    const first = await bench.capture();
    expect(paths(first).written).toEqual(['x']);
    expect(first.skipped.map(({ path, reason }) => [path, reason])).toEqual([
      ['y', 'budget'],
      ['z', 'budget'],
    ]);
    bench.later();
    await bench.capture();
    await bench.capture();
    await bench.capture();
    bench.expectTreeIsWalk();
  });

  it('says so when the list is cut short, and takes nothing for gone that it does not name', async () => {
    const maxEntries = mode === 'overlay' ? 3 : 12;
    const bench = await Bench.learned(mode, BASE, { maxEntries });
    bench.model.put('a.txt', file('one'));
    await bench.capture();
    for (let n = 0; n < 9; n++) bench.model.put(`0${n}`, file('n'));
    const capture = await bench.capture();
    expect(capture.removed).toEqual([]);
    expect(capture.skipped).toContainEqual({
      path: '.',
      reason: 'budget',
      detail: `more than ${maxEntries} changes`,
    });
    expect(bench.tree.get('a.txt')?.oid).toBe(blobId(Buffer.from('one')));
  });

  it('takes what a list that is cut short names for what it is, not for what was there before', async () => {
    const maxEntries = mode === 'overlay' ? 4 : 11;
    const bench = await Bench.learned(mode, BASE, { maxEntries });
    bench.model.put('0', DIRECTORY);
    bench.model.put('0/added', file('x'));
    bench.model.put('1', file('y'));
    await bench.capture();
    bench.model.remove('0');
    bench.model.put('0', file('now a file'));
    bench.model.remove('1');
    bench.model.put('1', DIRECTORY);
    for (let n = 2; n < 9; n++) bench.model.put(`1/${n}`, file('n'));
    for (let n = 2; n < 9; n++) bench.model.put(`x${n}`, file('n'));
    const { removed, written } = await bench.capture();
    expect(removed).toEqual(['0/added', '1']);
    expect(written.map(({ path }) => path).slice(0, 2)).toEqual(['0', '1/2']);
  });

  it('does not keep what was below a directory when a list that is cut short names a file there', async () => {
    const bench = await Bench.learned(mode, BASE, { maxEntries: 2 });
    bench.model.remove('d');
    bench.model.put('d', file('x'));
    bench.model.remove('a.txt');
    const { removed } = await bench.capture();
    expect(removed).toEqual(expect.arrayContaining(['d/deep/three', 'd/one', 'd/two']));
    expect(bench.tree.has('d')).toBe(true);
  });

  it('does not lose a file that vanishes while it is captured: the next capture tells', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('a.txt', file('one'));
    await bench.capture();
    bench.model.put('a.txt', file('two'));
    bench.model.put('temp', file('t'));
    bench.model.afterList = () => {
      bench.model.remove('a.txt');
      bench.model.remove('temp');
      bench.model.afterList = undefined;
    };
    const capture = await bench.capture();
    expect(paths(capture)).toEqual({ written: [], removed: [] });
    expect(capture.skipped.map(({ path, reason }) => [path, reason])).toEqual([['a.txt', 'unstable']]);
    expect(paths(await bench.capture()).removed).toEqual(['a.txt']);
    bench.expectTreeIsWalk();
  });

  it('tells of a new file that a sweep lists and cannot read, as when the guest took the mount away', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('new', file('hidden'));
    bench.model.afterList = () => bench.model.remove('new');
    const capture = await bench.capture({ sweep: true });
    expect(capture.skipped.map(({ path, reason }) => [path, reason])).toEqual([['new', 'unstable']]);
  });

  it('notices that the root .git changed, and captures nothing of it', async () => {
    const base = { ...BASE, '.git/HEAD': file('ref: main') };
    const bench = await Bench.learned(mode, base);
    expect((await bench.capture()).gitChanged).toBe(false);
    if (mode === 'walk') bench.model.remove('.git');
    bench.model.put('.git', DIRECTORY);
    bench.model.put('.git/HEAD', file('ref: other'));
    const capture = await bench.capture();
    expect(capture.gitChanged).toBe(true);
    expect(capture.written).toEqual([]);
  });

  it('runs captures one after the other, in the order asked', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('a.txt', file('one'));
    const [first, second] = await Promise.all([bench.capture(), bench.capture()]);
    expect(paths(first).written).toEqual(['a.txt']);
    expect(paths(second).written).toEqual([]);
  });

  it('reads everything but calls it no sweep when the guest can’t be frozen', async () => {
    const bench = await Bench.learned(mode);
    const guest = bench.model.asGuest();
    const capturer = new Capturer(
      { ...guest, freeze: () => Promise.reject(new SafeCoderError('guest/failed', 'no')) },
      manifestOf(BASE),
      { mode },
    );
    const capture = await capturer.capture(bench.sink, { sweep: true, alsoWrote: [] });
    expect(capture.isSweep).toBe(false);
  });

  it('captures nothing of a git directory, even when a tool says that it wrote there', async () => {
    const bench = await Bench.learned(mode);
    bench.model.put('sub', DIRECTORY);
    bench.model.put('sub/.git', DIRECTORY);
    bench.model.put('sub/.git/config', file('evil'));
    bench.model.put('.git', DIRECTORY);
    bench.model.put('.git/config', file('evil'));
    const capture = await bench.capture({ alsoWrote: ['sub/.git/config', '.git/config'] });
    expect(paths(capture)).toEqual({ written: [], removed: [] });
  });

  it('always leaves a tree, whatever is in the way and however little one capture may hold', async () => {
    const name = fc.constantFrom('a.txt', 'd', 'one', 'ignored', 'new');
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const node = fc.constantFrom<ModelNode>(
      file('x'),
      file('longer than allowed'),
      { kind: 'symlink', target: 't' },
      DIRECTORY,
      { kind: 'directory', isOpaque: false, isMount: true },
      { kind: 'special' },
      { kind: 'unreadable', errno: 13 },
    );
    const step = fc.oneof(
      fc.record({ put: path, node }),
      fc.record({ remove: path }),
      fc.record({ sweep: fc.boolean() }),
    );
    const limits = fc.record({
      maxEntries: fc.integer({ min: 1, max: 20 }),
      maxTotalBytes: fc.integer({ min: 1, max: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), limits, async (steps, limit) => {
        const bench = await Bench.learned(mode, BASE, { ...limit, maxFileBytes: 10 });
        for (const now of steps) {
          if ('put' in now) bench.model.put(now.put, now.node);
          else if ('remove' in now) bench.model.remove(now.remove);
          else await bench.capture({ sweep: now.sweep });
          for (const at of bench.tree.keys()) {
            for (let slash = at.indexOf('/'); slash > 0; slash = at.indexOf('/', slash + 1)) {
              expect(bench.tree.has(at.slice(0, slash))).toBe(false);
            }
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('equals a full walk after any operations', async () => {
    const name = fc.constantFrom('a.txt', 'd', 'one', 'deep', 'ignored', 'new', 'link');
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    const content = fc.constantFrom('a', '1', 'x', 'long content');
    const step = fc.oneof(
      fc.record({ do: fc.constant('write' as const), path, content, mode: fc.constantFrom(0o644, 0o755) }),
      fc.record({ do: fc.constant('link' as const), path, content }),
      fc.record({ do: fc.constant('mkdir' as const), path }),
      fc.record({ do: fc.constant('remove' as const), path }),
      fc.record({ do: fc.constant('rename' as const), path, to: path }),
      fc.record({ do: fc.constant('forget' as const), path }),
      fc.record({ do: fc.constant('later' as const) }),
      fc.record({ do: fc.constant('capture' as const), sweep: fc.boolean() }),
      fc.record({ do: fc.constant('fail' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const bench = await Bench.learned(mode);
        for (const now of steps) {
          if (now.do === 'write') {
            bench.model.put(now.path, file(now.content, now.mode));
          } else if (now.do === 'link') bench.model.put(now.path, { kind: 'symlink', target: now.content });
          else if (now.do === 'mkdir') bench.model.put(now.path, DIRECTORY);
          else if (now.do === 'remove') bench.model.remove(now.path);
          else if (now.do === 'rename') bench.model.rename(now.path, now.to);
          else if (now.do === 'later') bench.later();
          else if (now.do === 'fail') {
            bench.sink.failAfter = 0;
            await bench.capture().catch(() => undefined);
            bench.sink.failAfter = undefined;
          } else if (now.do === 'capture') {
            await bench.capture({ sweep: now.sweep });
            bench.expectTreeIsWalk();
          } else if (bench.model.at(now.path)?.kind === 'file') bench.model.forget(now.path);
        }
        await bench.capture();
        bench.expectTreeIsWalk();
      }),
      { numRuns: 400 },
    );
  });
});
