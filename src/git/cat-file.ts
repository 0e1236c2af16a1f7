/** One `git cat-file --batch` child, kept open, for objects that our own reader can't unpack. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { SafeCoderError } from '../base/errors.ts';
import { once } from '../base/lifetime.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { killGroup } from '../base/process.ts';
import { GIT_ENVIRONMENT, gitArguments, resolveGit } from './git-program.ts';

export interface RawObject {
  type: string;
  bytes: Buffer;
}

type Child = ChildProcessByStdio<Writable, Readable, null>;

interface Request {
  oid: string;
  resolve(object: RawObject | undefined): void;
  reject(error: Error): void;
}

const MAX_HEADER_BYTES = 256;
const END_MS = 2000;
/** Requests that the child may have before it has answered. */
const WINDOW = 64;

/**
 * Reads objects by id, in the order asked. The child starts with the first request, doesn't keep the process
 * alive while idle, and is started anew after it died. The caller checks hashes.
 */
export class CatFile implements AsyncDisposable {
  readonly #gitDir: HostPath;
  readonly #maxBytes: number;
  readonly #timeoutMs: number;
  readonly #waiting: Request[] = [];
  /** How many of the waiting requests the child was given. */
  #sent = 0;
  #child: Child | undefined;
  #timer: NodeJS.Timeout | undefined;
  #chunks: Buffer[] = [];
  #size = 0;
  #header: { type: string; size: number; length: number } | undefined;
  #isEnded = false;

  /** An object over `maxBytes`, or one that takes longer than `timeoutMs`, fails its request. */
  constructor(options: { gitDir: HostPath; maxBytes: number; timeoutMs: number }) {
    this.#gitDir = options.gitDir;
    this.#maxBytes = options.maxBytes;
    this.#timeoutMs = options.timeoutMs;
  }

  /** The object, or undefined when git knows none of that id. `oid` is a full hex id. Throws `ledger/damaged`. */
  read(oid: string): Promise<RawObject | undefined> {
    if (this.#isEnded)
      return Promise.reject(new SafeCoderError('bug', 'The object reader was already ended.'));
    if (!/^[0-9a-f]{40,64}$/.test(oid)) {
      return Promise.reject(new SafeCoderError('bug', `Not an object id: ${JSON.stringify(oid)}.`));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ oid, resolve, reject });
      if (this.#waiting.length === 1) this.#watch();
      this.#send();
    });
  }

  readonly #end = once(async () => {
    this.#isEnded = true;
    const child = this.#child;
    this.#fail(new SafeCoderError('cancelled', 'The object reader was ended.'), true);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, END_MS);
      child.once('close', () => {
        clearTimeout(late);
        resolve();
      });
      child.ref();
    });
  });

  /** Ends the child; requests that still wait fail. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  /** Starts the clock for the oldest request, or lets the process end when there is none. */
  #watch(): void {
    clearTimeout(this.#timer);
    const oid = this.#waiting[0]?.oid;
    this.#setAlive(oid !== undefined);
    if (oid === undefined) return;
    this.#timer = setTimeout(() => {
      this.#fail(
        new SafeCoderError('ledger/damaged', `git took longer than ${this.#timeoutMs} ms for ${oid}.`),
      );
    }, this.#timeoutMs);
  }

  /** Hands requests to the child ahead of its answers, which come in the same order. */
  #send(): void {
    try {
      while (this.#sent < Math.min(this.#waiting.length, WINDOW)) {
        if (this.#child === undefined) {
          this.#child = this.#start();
          this.#setAlive(true);
        }
        this.#child.stdin.write(`${this.#waiting[this.#sent]?.oid}\n`);
        this.#sent += 1;
      }
    } catch (cause) {
      this.#fail(new SafeCoderError('environment/tool-failed', 'git could not be started.', { cause }), true);
    }
  }

  #start(): Child {
    const child = spawn(resolveGit(), gitArguments(this.#gitDir, ['cat-file', '--batch']), {
      cwd: '/',
      env: { ...GIT_ENVIRONMENT },
      detached: true,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const onGone = () => {
      if (this.#child === child) {
        this.#fail(new SafeCoderError('ledger/damaged', 'git ended while it read an object.'));
      }
    };
    child.on('error', onGone);
    child.on('close', onGone);
    child.stdin.on('error', onGone);
    child.stdout.on('data', (chunk: Buffer) => {
      if (this.#child === child) this.#take(chunk);
    });
    return child;
  }

  #take(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    while (this.#size > 0 && this.#takeAnswer());
  }

  /** Takes one whole answer from what has come in; false when there is none yet. */
  #takeAnswer(): boolean {
    if (this.#header === undefined && !this.#takeHeader()) return false;
    const header = this.#header;
    if (header === undefined) return true;
    const end = header.length + header.size;
    if (this.#size < end + 1) return false;
    const all = Buffer.concat(this.#chunks);
    if (all[end] !== 0x0a) {
      this.#fail(
        new SafeCoderError('ledger/damaged', 'git answered with something else than was asked for.'),
      );
      return false;
    }
    this.#answer({ type: header.type, bytes: all.subarray(header.length, end) }, all.subarray(end + 1));
    return true;
  }

  /** False when there is no whole header yet. Answers the request itself when git knows no such object. */
  #takeHeader(): boolean {
    const start = Buffer.concat(this.#chunks);
    this.#chunks = [start];
    const newline = start.subarray(0, MAX_HEADER_BYTES).indexOf(0x0a);
    if (newline < 0 && start.length < MAX_HEADER_BYTES) return false;
    const oid = this.#waiting[0]?.oid ?? '';
    const line = newline < 0 ? '' : start.toString('latin1', 0, newline);
    if (line === `${oid} missing`) {
      this.#answer(undefined, start.subarray(newline + 1));
      return true;
    }
    const match = /^([0-9a-f]+) (blob|tree|commit|tag) (\d{1,15})$/.exec(line);
    const size = Number(match?.[3]);
    if (match?.[2] === undefined || match[1] !== oid || size > this.#maxBytes) {
      this.#fail(new SafeCoderError('ledger/damaged', `git can't give object ${oid}: ${line.slice(0, 200)}`));
      return false;
    }
    this.#header = { type: match[2], size, length: newline + 1 };
    return true;
  }

  #answer(object: RawObject | undefined, rest: Buffer): void {
    this.#chunks = [rest];
    this.#size = rest.length;
    this.#header = undefined;
    this.#sent -= 1;
    this.#waiting.shift()?.resolve(object);
    this.#watch();
    this.#send();
  }

  /** The child can't be trusted any more: it goes, the request that met it fails, the others get a new one. */
  #fail(error: Error, all = false): void {
    clearTimeout(this.#timer);
    const child = this.#child;
    this.#child = undefined;
    this.#chunks = [];
    this.#size = 0;
    this.#header = undefined;
    this.#sent = 0;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) killGroup(child.pid);
    const failed = this.#waiting.splice(0, all ? this.#waiting.length : 1);
    for (const request of failed) request.reject(error);
    if (this.#waiting.length === 0) return;
    this.#watch();
    this.#send();
  }

  /** An idle child must not keep the process from ending, a busy one must. */
  #setAlive(isBusy: boolean): void {
    const child = this.#child;
    if (child === undefined) return;
    const act = isBusy ? 'ref' : 'unref';
    child[act]();
    for (const stream of [child.stdin, child.stdout]) {
      if (act in stream && typeof stream[act as keyof typeof stream] === 'function') {
        (stream as unknown as { ref(): void; unref(): void })[act]();
      }
    }
  }
}
