/**
 * A guest's workspace as a model in memory: a base, and an overlay's upper layer over it, with the file operations that
 * matter to capture. It answers the verbs that capture uses, as the real agent would.
 */
import type { RelPath } from '../../src/base/path-bytes.ts';
import type { Guest, GuestChange, GuestStat } from '../../src/guest/guest.ts';

export type ModelNode =
  | { kind: 'file'; content: string; mode: number }
  | { kind: 'symlink'; target: string }
  | { kind: 'directory'; isOpaque: boolean; isMount?: boolean }
  | { kind: 'special' }
  | { kind: 'unreadable'; errno: number }
  | { kind: 'deleted' };

interface Stored {
  node: ModelNode;
  ino: bigint;
  changedNs: bigint;
}

export class ModelGuest {
  readonly mode: 'overlay' | 'walk';
  /** The guest's clock. */
  nowNs = 1_000_000_000_000n;
  /** Paths whose bytes were asked for, since the test last looked. */
  fetched: string[] = [];
  pruned: string[] = [];
  freezes = 0;
  isFrozen = false;
  /** Sizes in its lists are all 0. */
  liesAboutSizes = false;
  /** Runs when a list was given out, before anything is fetched: what a racing process does. */
  afterList: (() => void) | undefined;
  readonly #base = new Map<string, Stored>();
  readonly #upper = new Map<string, Stored>();
  #ino = 100n;

  constructor(mode: 'overlay' | 'walk', base: Record<string, ModelNode>) {
    this.mode = mode;
    for (const [path, node] of Object.entries(base)) {
      for (let at = parent(path); at !== ''; at = parent(at)) {
        if (!this.#base.has(at)) this.#base.set(at, this.#store({ kind: 'directory', isOpaque: false }));
      }
      this.#base.set(path, this.#store(node));
    }
  }

  #store(node: ModelNode): Stored {
    this.#ino += 1n;
    return { node, ino: this.#ino, changedNs: this.nowNs };
  }

  /** The node at a path as a process in the guest sees it. */
  at(path: string): ModelNode | undefined {
    return this.#find(path)?.node;
  }

  #find(path: string): Stored | undefined {
    const own = this.#upper.get(path);
    if (own !== undefined) return own.node.kind === 'deleted' ? undefined : own;
    for (let at = parent(path); at !== ''; at = parent(at)) {
      const above = this.#upper.get(at)?.node;
      if (above !== undefined && (above.kind !== 'directory' || above.isOpaque)) return undefined;
    }
    return this.#base.get(path);
  }

  /** Everything that can be seen, sorted. */
  paths(): string[] {
    const all = new Set([...this.#base.keys(), ...this.#upper.keys()]);
    return [...all].filter((path) => this.#find(path) !== undefined).sort();
  }

  #isDirectory(path: string): boolean {
    return path === '' || this.at(path)?.kind === 'directory';
  }

  #copyUp(path: string): void {
    if (path === '' || this.#upper.has(path)) return;
    this.#copyUp(parent(path));
    this.#upper.set(path, this.#store({ kind: 'directory', isOpaque: false }));
  }

  /** Puts a node there; false when there is no such parent, or a directory is in the way. */
  put(path: string, node: ModelNode): boolean {
    if (!this.#isDirectory(parent(path))) return false;
    const old = this.at(path)?.kind;
    if (old === 'directory' || (node.kind === 'directory' && old !== undefined)) return false;
    this.#copyUp(parent(path));
    const isOverWhiteout = this.#upper.get(path)?.node.kind === 'deleted';
    const made = node.kind === 'directory' ? { ...node, isOpaque: isOverWhiteout } : node;
    this.#upper.set(path, this.#store(made));
    return true;
  }

  /** Changes content behind unchanged stamps, as writes through a mapping do. */
  sneak(path: string, content: string): void {
    const stored = this.#upper.get(path);
    if (stored?.node.kind === 'file') stored.node = { ...stored.node, content };
  }

  /** Removes a node and all below it. */
  remove(path: string): void {
    if (this.#find(path) === undefined) return;
    for (const below of [...this.#upper.keys()]) {
      if (below === path || below.startsWith(`${path}/`)) this.#upper.delete(below);
    }
    if (this.#find(path) === undefined) return;
    this.#copyUp(parent(path));
    this.#upper.set(path, this.#store({ kind: 'deleted' }));
  }

  /** The base shows again, as after an unlink in the upper layer itself. */
  forget(path: string): void {
    this.#upper.delete(path);
  }

  /** Renames as an overlay without redirects does: by copying. */
  rename(from: string, to: string): void {
    if (to === from || to.startsWith(`${from}/`) || this.at(from) === undefined) return;
    if (this.at(to) !== undefined || !this.#isDirectory(parent(to))) return;
    for (const path of this.paths()) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      const node = this.at(path);
      if (node !== undefined) this.put(to + path.slice(from.length), node);
    }
    this.remove(from);
  }

  #stat(stored: Stored): GuestStat {
    const { node } = stored;
    const mode =
      node.kind === 'file'
        ? node.mode
        : node.kind === 'unreadable'
          ? node.errno
          : node.kind === 'deleted'
            ? 0
            : 0o755;
    return {
      kind: node.kind,
      isOpaque: node.kind === 'directory' && node.isOpaque && this.mode === 'overlay',
      isMount: node.kind === 'directory' && node.isMount === true,
      isPruned: false,
      mode,
      uid: 0,
      gid: 0,
      nlink: 1,
      size: node.kind === 'file' && !this.liesAboutSizes ? Buffer.byteLength(node.content) : 0,
      ino: stored.ino,
      mtimeNs: stored.changedNs,
      ctimeNs: stored.changedNs,
    };
  }

  #list(prune: readonly string[]): GuestChange[] {
    const paths = this.mode === 'overlay' ? [...this.#upper.keys()].sort() : this.paths();
    const out: GuestChange[] = [];
    const closed = new Set<string>();
    for (const path of paths) {
      if (closed.has(parent(path))) {
        closed.add(path);
        continue;
      }
      const stored = this.mode === 'overlay' ? this.#upper.get(path) : this.#find(path);
      if (stored === undefined) continue;
      const stat = this.#stat(stored);
      stat.isPruned = path === '.git' || (stat.kind === 'directory' && prune.includes(path));
      if (stat.isPruned || stat.isMount) closed.add(path);
      const target = stored.node.kind === 'symlink' ? { target: stored.node.target } : {};
      out.push({ path: path as RelPath, stat, ...target });
    }
    return out;
  }

  asGuest(): Guest {
    const no = () => Promise.reject(new Error('the model has no such verb'));
    return {
      hello: {} as Guest['hello'],
      closed: new Promise(() => undefined),
      spawn: no,
      read: no,
      write: no,
      stat: no,
      list: no,
      remove: no,
      unpack: no,
      setup: no,
      setClock: no,
      addEntropy: no,
      listen: no,
      accept: no,
      probe: no,
      shutdown: no,
      freeze: async () => {
        this.freezes += 1;
        this.isFrozen = true;
        return 1;
      },
      thaw: async () => {
        this.isFrozen = false;
      },
      changes: async ({ max, prune }, onChange) => {
        this.pruned = prune;
        const all = this.#list(prune);
        for (const change of all.slice(0, max)) onChange(change);
        this.afterList?.();
        return { entries: Math.min(all.length, max), truncated: all.length > max };
      },
      fetch: async (paths, { maxFileBytes }, onContent, onEnd) => {
        for (const path of paths) {
          this.fetched.push(path);
          const stored = this.#find(path);
          if (stored === undefined) {
            onEnd({ path, ok: false, errno: 2 });
            continue;
          }
          const { node } = stored;
          const content = node.kind === 'file' ? node.content : node.kind === 'symlink' ? node.target : '';
          const bytes = Buffer.from(content).subarray(0, maxFileBytes);
          if (bytes.length > 0) onContent(path, bytes);
          const wasCut = Buffer.byteLength(content) > maxFileBytes;
          onEnd({ path, ok: true, stat: this.#stat(stored), wasUnstable: false, wasCut });
        }
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
}

function parent(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}
