import { posix } from 'node:path';
import { SafeCoderError } from '../../src/base/errors.ts';
import type { GuestPath } from '../../src/base/path-bytes.ts';
import type { GuestProcess, GuestStat, SpawnEnd } from '../../src/guest/guest.ts';
import type { ExecOptions, Sandbox } from '../../src/sandbox/sandbox.ts';
import type { Tool, ToolContext, ToolResult } from '../../src/tools/tool.ts';

const ERRNO: Record<string, number> = {
  ENOENT: 2,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  ENOSPC: 28,
  ELOOP: 40,
};

/** The error with which a sandbox passes on a guest's errno. */
export function guestFailed(errnoName: string): SafeCoderError {
  return new SafeCoderError('guest/failed', `The guest answered ${errnoName}.`, {
    details: { errno: ERRNO[errnoName] ?? 5, errnoName },
  });
}

/** One execution, for the script of {@link FakeSandbox} to play. */
export interface FakeExec {
  options: ExecOptions;
  /** Signals that were sent. */
  signals: number[];
  /** Bytes that were written to standard input. */
  input: Buffer[];
  wasKilled: boolean;
  output(text: string | Uint8Array, channel?: 'out' | 'err'): Promise<void>;
  end(end?: Partial<SpawnEnd>): void;
  fail(error: Error): void;
  onSignal?: (signo: number) => void;
  onKill?: () => void;
}

interface Node {
  kind: 'file' | 'directory' | 'symlink' | 'special';
  bytes: Buffer;
  mode: number;
  target?: string;
  mtime: bigint;
}

const WORKSPACE = '/home/user/project';

/**
 * A sandbox in memory: files with modes and symlinks, and executions played by a script. The script may be async; one that
 * throws makes `exec` reject.
 */
export class FakeSandbox implements Sandbox {
  readonly id = 'fake1';
  readonly workspace = WORKSPACE as GuestPath;
  readonly closed = new Promise<Error>(() => undefined);
  readonly isolation = {
    level: 'demo' as const,
    backend: 'fake',
    accel: 'none',
    proof: { isolated: false, checks: [] },
  };
  readonly limits = { memoryBytes: 512 << 20, diskBytes: 1 << 30, pids: 256 };
  readonly nodes = new Map<string, Node>();
  readonly execs: FakeExec[] = [];
  script: (exec: FakeExec) => void | Promise<void> = (exec) => exec.end();
  /** Throws this errno at the next writes. */
  failWrites: string | undefined;
  /** What the guest says where the tools' own folder is; undefined: the truth. */
  scratchAnswer: string | undefined;
  #clock = 1n;

  constructor(files: Record<string, string | Uint8Array> = {}) {
    for (const folder of ['/', '/tmp', '/home', '/home/user', WORKSPACE]) this.folder(folder);
    for (const [path, content] of Object.entries(files)) this.file(path, content);
  }

  #at(path: string): string {
    return posix.resolve(WORKSPACE, path);
  }

  folder(path: string): void {
    const full = this.#at(path);
    if (this.nodes.has(full)) return;
    if (full !== '/') this.folder(posix.dirname(full));
    this.nodes.set(full, { kind: 'directory', bytes: Buffer.alloc(0), mode: 0o755, mtime: this.#clock++ });
  }

  file(path: string, content: string | Uint8Array, mode = 0o644): void {
    const full = this.#at(path);
    this.folder(posix.dirname(full));
    this.nodes.set(full, { kind: 'file', bytes: Buffer.from(content), mode, mtime: this.#clock++ });
  }

  link(path: string, target: string): void {
    this.nodes.set(this.#at(path), {
      kind: 'symlink',
      bytes: Buffer.alloc(0),
      mode: 0o777,
      target,
      mtime: this.#clock++,
    });
  }

  text(path: string): string {
    return this.bytes(path).toString('utf8');
  }

  bytes(path: string): Buffer {
    const node = this.nodes.get(this.#at(path));
    if (node === undefined) throw new Error(`no ${path}`);
    return node.bytes;
  }

  mode(path: string): number | undefined {
    return this.nodes.get(this.#at(path))?.mode;
  }

  has(path: string): boolean {
    return this.nodes.has(this.#at(path));
  }

  /** Follows every symlink; with `noFollow` all but the last. */
  #canonical(path: string, noFollow = false, depth = 0): string {
    if (depth > 20) throw guestFailed('ELOOP');
    const parts = posix.resolve(path).split('/').filter(Boolean);
    let at = '/';
    for (const [index, part] of parts.entries()) {
      const here = this.nodes.get(at);
      if (here !== undefined && here.kind !== 'directory') throw guestFailed('ENOTDIR');
      at = posix.join(at, part);
      const node = this.nodes.get(at);
      if (node === undefined) throw guestFailed('ENOENT');
      const isLast = index === parts.length - 1;
      if (node.kind === 'symlink' && !(isLast && noFollow)) {
        at = this.#canonical(posix.resolve(posix.dirname(at), node.target ?? ''), false, depth + 1);
      }
    }
    return at;
  }

  #node(path: string): Node {
    const node = this.nodes.get(path);
    if (node === undefined) throw guestFailed('ENOENT');
    return node;
  }

  #stat(node: Node): GuestStat {
    return {
      kind: node.kind,
      isOpaque: false,
      isMount: false,
      isPruned: false,
      mode: node.mode,
      uid: 1000,
      gid: 1000,
      nlink: 1,
      size: node.bytes.length,
      ino: 1n,
      mtimeNs: node.mtime,
      ctimeNs: node.mtime,
    };
  }

  async stat(path: string, options: { noFollow?: boolean } = {}) {
    const canonical = this.#canonical(path, options.noFollow === true);
    const node = this.#node(canonical);
    return {
      stat: this.#stat(node),
      canonical,
      ...(node.target === undefined ? {} : { target: node.target }),
    };
  }

  async read(path: string, options: { offset?: number; maxBytes: number }) {
    const node = this.#node(this.#canonical(path));
    if (node.kind === 'directory') throw guestFailed('EISDIR');
    const from = options.offset ?? 0;
    return { stat: this.#stat(node), bytes: node.bytes.subarray(from, from + options.maxBytes) };
  }

  async write(
    path: string,
    bytes: Uint8Array,
    options: { mode?: number; makeParents?: boolean; exclusive?: boolean },
  ) {
    if (this.failWrites !== undefined) throw guestFailed(this.failWrites);
    if (options.makeParents === true) this.folder(posix.dirname(path));
    const parent = this.#canonical(posix.dirname(path));
    let full = posix.join(parent, posix.basename(path));
    if (this.nodes.get(full)?.kind === 'symlink') full = this.#canonical(full);
    const old = this.nodes.get(full);
    if (old !== undefined && options.exclusive === true) throw guestFailed('EEXIST');
    this.file(full, bytes, options.mode ?? old?.mode ?? 0o644);
    return { stat: this.#stat(this.#node(full)), created: old === undefined };
  }

  async list(path: string, max: number) {
    const folder = this.#canonical(path);
    if (this.#node(folder).kind !== 'directory') throw guestFailed('ENOTDIR');
    const all = [...this.nodes]
      .filter(([name]) => name !== '/' && posix.dirname(name) === folder)
      .map(([name, node]) => ({ name: posix.basename(name), stat: this.#stat(node) }));
    return { entries: all.slice(0, max), truncated: all.length > max };
  }

  async remove(path: string): Promise<number> {
    return this.nodes.delete(this.#canonical(path, true)) ? 1 : 0;
  }

  async exec(options: ExecOptions, signal?: AbortSignal): Promise<GuestProcess> {
    if (signal?.aborted === true) throw new SafeCoderError('cancelled', 'Cancelled.');
    if (options.argv[0] === '/bin/sh' && options.stdin !== true) return this.#makeScratch(options);
    const { promise: ended, resolve, reject } = Promise.withResolvers<SpawnEnd>();
    ended.catch(() => undefined);
    const exec: FakeExec = {
      options,
      signals: [],
      input: [],
      wasKilled: false,
      output: async (text, channel = 'out') => {
        await options.onOutput(Buffer.from(text), channel);
      },
      end: (end = {}) =>
        resolve({
          exitCode: end.signal === undefined ? 0 : undefined,
          signal: undefined,
          wasKilledForMemory: false,
          wasRefusedProcesses: false,
          wallMs: 5,
          cpuMs: 1,
          peakMemoryBytes: 1000,
          ...end,
        }),
      fail: reject,
    };
    this.execs.push(exec);
    const script = this.script(exec);
    if (script !== undefined) await Promise.race([script, Promise.resolve()]);
    return {
      pid: this.execs.length,
      ended,
      write: async (bytes) => {
        exec.input.push(Buffer.from(bytes));
      },
      closeStdin: () => exec.end(),
      signal: (signo) => {
        exec.signals.push(signo);
        exec.onSignal?.(signo);
      },
      resize: () => undefined,
      kill: () => {
        exec.wasKilled = true;
        if (exec.onKill !== undefined) exec.onKill();
        else exec.end({ signal: 9 });
      },
    };
  }

  /** The tools ask for a folder of their own by a small script; it is no business of the tests' scripts. */
  async #makeScratch(options: ExecOptions): Promise<GuestProcess> {
    const folder = `/tmp/${options.argv.at(-1)}`;
    const works = this.failWrites === undefined;
    if (works) this.folder(folder);
    if (works) await options.onOutput(Buffer.from(this.scratchAnswer ?? `${folder}\n`), 'out');
    return {
      pid: 1,
      ended: Promise.resolve({
        exitCode: works ? 0 : 1,
        signal: undefined,
        wasKilledForMemory: false,
        wasRefusedProcesses: false,
        wallMs: 1,
        cpuMs: 1,
        peakMemoryBytes: 1,
      }),
      write: async () => undefined,
      closeStdin: () => undefined,
      signal: () => undefined,
      resize: () => undefined,
      kill: () => undefined,
    };
  }

  capture(): never {
    throw new Error('tools do not capture');
  }

  unpack(_entries: Parameters<Sandbox['unpack']>[0]): Promise<number> {
    return Promise.reject(new Error('tools do not unpack'));
  }

  whileFrozen<T>(work: () => Promise<T>): Promise<T> {
    return work();
  }

  async end(): Promise<void> {
    this.nodes.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

/** Runs tools of a set by name, each call with a name of its own. */
export function toolRunner(sandbox: Sandbox, tools: Tool[]) {
  let calls = 0;
  const outputs: string[] = [];
  return {
    outputs,
    async run(name: string, input: unknown, extra: Partial<ToolContext> = {}): Promise<ToolResult> {
      const tool = tools.find((one) => one.name === name);
      if (tool === undefined) throw new Error(`no tool ${name}`);
      calls += 1;
      return await tool.run(input, {
        sandbox,
        call: `call-${calls}`,
        signal: new AbortController().signal,
        onOutput: (text) => outputs.push(text),
        ...extra,
      });
    },
  };
}
