/**
 * The one pass over a project that everything else is made from: decides what comes along, reads each file once, and
 * hashes what it read. Paths and names hold one byte per character (latin1).
 */

import { closeSync, lstatSync } from 'node:fs';
import { decodePath, showPath } from '../base/path-bytes.ts';
import type { BlockStream } from '../image/block-stream.ts';
import { STAGE_PREFIX } from '../policy/apply-path.ts';
import { IgnoreRules, MAX_IGNORE_FILE_BYTES, parseIgnoreFile } from '../policy/ignore.ts';
import {
  emptyGitDirectory,
  type GitTreatment,
  GUEST_GIT_SETTINGS,
  MAX_GIT_TEXT_BYTES,
  sanitiseGitFile,
  treatGitPath,
} from './git-directory.ts';
import type { CopyInLimits } from './limits.ts';
import type { Project } from './project.ts';
import {
  hashBlob,
  hashReserved,
  type ObjectFormat,
  openForReading,
  readLarge,
  readLink,
  readSmall,
  SMALL_FILE_BYTES,
} from './read-content.ts';
import type { FileItem, NodeItem, ScanItem } from './scan-item.ts';
import { SecretGate } from './secret-gate.ts';
import { type DirectoryStep, type NodeStep, openable, type SkipReason, skipFor, walk } from './walk.ts';

export interface ScanOptions {
  /** Where content is read into and kept. */
  stream: BlockStream;
  /** Withheld files, or folders of them, that the user lets in. */
  shared: ReadonlySet<string>;
  objectFormat: ObjectFormat;
  limits: CopyInLimits;
}

/** What a directory passes on to what is in it. */
interface Scope {
  path: string;
  isIgnored: boolean;
  /** Length of the path of the `.git` directory that this is or is in, with a slash behind; 0 outside. */
  gitPrefix: number;
}

export class Scan {
  /** Grows as ignore files are met; complete when the scan is over. */
  readonly rules = new IgnoreRules();
  entries = 0;
  bytes = 0;
  readonly #project: Project;
  readonly #options: ScanOptions;
  readonly #gate: SecretGate;
  readonly #scopes: Scope[] = [];
  readonly #left: ScanItem[] = [];
  readonly #startedNs = BigInt(Date.now()) * 1_000_000n;

  constructor(project: Project, options: ScanOptions) {
    this.#project = project;
    this.#options = options;
    this.#gate = new SecretGate(options.shared);
    if (project.git.exclude) this.rules.setExclude(parseIgnoreFile(project.git.exclude));
  }

  /** Whether one of the limits is passed. */
  get isTooLarge(): boolean {
    const { maxEntries, maxBytes } = this.#options.limits;
    return this.entries > maxEntries || this.bytes > maxBytes;
  }

  /** Runs the pass. Stops early once {@link isTooLarge}. */
  *items(): Generator<ScanItem> {
    const steps = walk(this.#project.directory, { admits: (path) => this.#admits(path) });
    for (const step of steps) {
      yield* this.#left.splice(0);
      if (step.kind === 'enter') yield* this.#enter(step);
      else if (step.kind === 'leave') yield* this.#leave(step);
      else if (step.kind === 'file') yield* this.#file(step);
      else if (step.kind === 'symlink') yield* this.#symlink(step);
      else if (step.kind === 'skip') yield step;
      if (this.isTooLarge) return;
    }
  }

  #admits(path: string): boolean {
    // What a killed apply left until it is recovered: it belongs to us, not to the project.
    if (path.startsWith(STAGE_PREFIX)) return false;
    const scope = this.#scope;
    if (scope.gitPrefix === 0) return true;
    if (treatGitPath(path.slice(scope.gitPrefix), 'directory') !== 'drop') return true;
    this.#left.push({ kind: 'git-left', path });
    return false;
  }

  get #scope(): Scope {
    return this.#scopes.at(-1) ?? { path: '', isIgnored: false, gitPrefix: 0 };
  }

  *#enter({ directory }: DirectoryStep): Generator<ScanItem> {
    const { path, name, meta } = directory;
    const outer = this.#scope;
    const isGit = name === '.git' && outer.gitPrefix === 0;
    const isIgnored =
      outer.isIgnored || (path !== '' && !isGit && outer.gitPrefix === 0 && this.rules.matches(path, true));
    this.#scopes.push({ path, isIgnored, gitPrefix: isGit ? path.length + 1 : outer.gitPrefix });
    if (path !== '') this.entries += 1;
    if (isGit && path !== '.git') yield { kind: 'nested-git', path };
    if (isIgnored && !outer.isIgnored) yield { kind: 'ignored', path, isDirectory: true };
    yield { kind: 'enter', path, name, ...meta };
  }

  *#leave({ directory }: DirectoryStep): Generator<ScanItem> {
    if (directory.path === '' && this.#project.git.kind !== 'directory')
      yield* this.#emptyRepository(directory.meta.mtimeNs);
    this.#scopes.pop();
    yield { kind: 'leave' };
  }

  *#symlink(step: NodeStep): Generator<ScanItem> {
    const { path, name, directory } = step;
    const scope = this.#scope;
    if (scope.gitPrefix > 0 && treatGitPath(path.slice(scope.gitPrefix), 'symlink') === 'drop') {
      yield { kind: 'git-left', path };
      return;
    }
    const reason = this.#gate.reasonByName(path, scope.gitPrefix);
    if (reason !== undefined) {
      yield { kind: 'withhold', path, reason };
      return;
    }
    let target: Buffer | undefined;
    let mtimeNs: bigint;
    try {
      const source = openable(directory.prefix, name);
      target = readLink(source);
      mtimeNs = lstatSync(source, { bigint: true }).mtimeNs;
    } catch (error) {
      yield { kind: 'skip', path, ...skipFor(error) };
      return;
    }
    if (target === undefined) {
      yield { kind: 'skip', path, reason: 'vanished', detail: 'replaced while it was copied' };
      return;
    }
    this.entries += 1;
    const isCaptured = yield* this.#isCaptured(path);
    const oid = isCaptured ? hashBlob(target, this.#options.objectFormat) : undefined;
    yield { kind: 'symlink', path, name, mode: 0o777, mtimeNs, target, oid };
  }

  *#file(step: NodeStep): Generator<ScanItem> {
    const { path, name, directory } = step;
    const scope = this.#scope;
    const treatment: GitTreatment =
      scope.gitPrefix === 0 ? 'copy' : treatGitPath(path.slice(scope.gitPrefix), 'file');
    if (treatment === 'drop' || path === '.git') {
      yield { kind: 'git-left', path };
      return;
    }
    const reason = this.#gate.reasonByName(path, scope.gitPrefix);
    if (reason !== undefined) {
      yield { kind: 'withhold', path, reason };
      return;
    }
    let opened: ReturnType<typeof openForReading>;
    try {
      opened = openForReading(openable(directory.prefix, name));
    } catch (error) {
      yield { kind: 'skip', path, ...skipFor(error) };
      return;
    }
    try {
      yield* this.#openFile(step, opened, treatment);
    } finally {
      closeSync(opened.fd);
    }
  }

  *#openFile(
    { path, name }: NodeStep,
    { fd, stat }: ReturnType<typeof openForReading>,
    treatment: GitTreatment,
  ): Generator<ScanItem> {
    if (!stat.isFile()) {
      yield { kind: 'skip', path, reason: 'special', detail: 'replaced while it was copied' };
      return;
    }
    if (stat.dev !== this.#project.directory.dev) {
      yield { kind: 'skip', path, reason: 'mount', detail: 'another file system' };
      return;
    }
    this.entries += 1;
    this.bytes += Number(stat.size);
    if (this.isTooLarge) return;
    const node = {
      kind: 'file',
      path,
      name,
      mode: Number(stat.mode & 0o777n),
      mtimeNs: stat.mtimeNs,
    } as const;
    if (treatment === 'config' || treatment === 'text') yield* this.#gitText(node, fd, stat, treatment);
    else if (stat.size > BigInt(SMALL_FILE_BYTES)) yield* this.#large(node, fd, stat);
    else yield* this.#small(node, fd, stat);
  }

  *#small(node: NodeItem & { kind: 'file' }, fd: number, stat: OpenStat): Generator<ScanItem> {
    const { path } = node;
    const { stream, objectFormat } = this.#options;
    const read = this.#tryRead(() => readSmall(stream, fd, stat, this.#startedNs));
    if ('skip' in read) {
      yield { kind: 'skip', path, ...read.skip };
      return;
    }
    if (read.value === 'grew') {
      yield* this.#large(node, fd, stat);
      return;
    }
    const { bytes, wasUnstable } = read.value;
    const secret = this.#gate.reasonInside(path, this.#scope.gitPrefix, bytes, true);
    if (secret !== undefined) {
      yield { kind: 'withhold', path, reason: secret };
      return;
    }
    if (node.name === '.gitignore') {
      if (bytes.length > MAX_IGNORE_FILE_BYTES) yield tooLargeForRules(path);
      else this.#addRules(path, bytes);
    }
    const isCaptured = yield* this.#isCaptured(path);
    const oid = isCaptured ? hashReserved(stream, bytes, objectFormat) : undefined;
    const extent = stream.keep(bytes.length);
    yield { ...node, mtimeNs: read.value.stat.mtimeNs, size: bytes.length, extent, bytes, oid, wasUnstable };
  }

  *#large(node: NodeItem & { kind: 'file' }, fd: number, stat: OpenStat): Generator<ScanItem> {
    const { path } = node;
    const { stream, objectFormat, limits } = this.#options;
    if (node.name === '.gitignore') yield tooLargeForRules(path);
    let isCaptured = yield* this.#isCaptured(path);
    if (isCaptured && stat.size > BigInt(limits.maxLedgerFileBytes)) {
      isCaptured = false;
      yield { kind: 'skip', path, reason: 'too-large', detail: 'in the guest, but not in the ledger' };
    }
    let secret: string | undefined;
    const { gitPrefix } = this.#scope;
    const reading = readLarge(stream, fd, stat, isCaptured ? objectFormat : undefined, (head) => {
      secret = this.#gate.reasonInside(path, gitPrefix, head, false);
      return secret === undefined;
    });
    for (;;) {
      const next = this.#tryRead(() => reading.next());
      if ('skip' in next) {
        yield { kind: 'skip', path, ...next.skip };
        return;
      }
      if (next.value.done === true) {
        const whole = next.value.value;
        if (whole === undefined) yield { kind: 'withhold', path, reason: secret ?? 'secret' };
        else yield { ...node, size: whole.extent.size, bytes: undefined, ...whole };
        return;
      }
      yield { kind: 'pause' };
    }
  }

  *#gitText(
    node: NodeItem & { kind: 'file' },
    fd: number,
    stat: OpenStat,
    treatment: 'config' | 'text',
  ): Generator<ScanItem> {
    const { path } = node;
    const { stream } = this.#options;
    if (stat.size > BigInt(MAX_GIT_TEXT_BYTES)) {
      yield { kind: 'git-left', path };
      return;
    }
    const read = this.#tryRead(() => readSmall(stream, fd, stat, this.#startedNs));
    if ('skip' in read || read.value === 'grew') {
      yield 'skip' in read ? { kind: 'skip', path, ...read.skip } : { kind: 'git-left', path };
      return;
    }
    const isRoot = path === '.git/config';
    const clean = sanitiseGitFile(treatment, read.value.bytes, isRoot ? GUEST_GIT_SETTINGS : []);
    yield this.#keepBytes(node, clean);
  }

  #keepBytes(node: NodeItem & { kind: 'file' }, content: Buffer): FileItem {
    const { stream } = this.#options;
    const at = stream.reserve(content.length);
    content.copy(stream.buffer, at);
    const bytes = stream.buffer.subarray(at, at + content.length);
    const extent = stream.keep(content.length);
    return { ...node, size: content.length, extent, bytes, oid: undefined, wasUnstable: false };
  }

  /** So that git works in the guest for a project that has no repository, or has it elsewhere. */
  *#emptyRepository(mtimeNs: bigint): Generator<ScanItem> {
    const { kind, branch, objectFormat } = this.#project.git;
    if (kind === 'pointer') {
      yield {
        kind: 'warning',
        message:
          "The project's .git points to a repository elsewhere, which stays on the host: git in the guest starts without history.",
      };
    }
    yield { kind: 'enter', path: '.git', name: '.git', mode: 0o755, mtimeNs };
    for (const [name, content] of emptyGitDirectory(branch ?? 'main', objectFormat)) {
      const node = { path: `.git/${name}`, name, mtimeNs };
      if (content === undefined) {
        yield { kind: 'enter', ...node, mode: 0o755 };
        yield { kind: 'leave' };
      } else {
        yield this.#keepBytes({ kind: 'file', ...node, mode: 0o644 }, Buffer.from(content));
      }
    }
    yield { kind: 'leave' };
  }

  /** Whether the ledger is to hold a path. Reports it when the ignore rules are why not. */
  *#isCaptured(path: string): Generator<ScanItem, boolean> {
    const scope = this.#scope;
    if (scope.gitPrefix > 0 || path.endsWith('/.git') || path === '.git') return false;
    if (this.#project.git.index?.has(path)) return true;
    if (scope.isIgnored) return false;
    if (!this.rules.matches(path, false)) return true;
    yield { kind: 'ignored', path, isDirectory: false };
    return false;
  }

  #addRules(path: string, bytes: Buffer): void {
    const scope = this.#scope;
    // Git does not look for rules in what is ignored as a whole, nor in its own directory.
    if (scope.isIgnored || scope.gitPrefix > 0) return;
    this.rules.add(path.slice(0, Math.max(0, path.length - '/.gitignore'.length)), parseIgnoreFile(bytes));
  }

  /** A read's value, or why the file is skipped when the system refuses. */
  #tryRead<T>(read: () => T): { value: T } | { skip: { reason: SkipReason; detail: string } } {
    try {
      return { value: read() };
    } catch (error) {
      return { skip: skipFor(error) };
    }
  }
}

type OpenStat = ReturnType<typeof openForReading>['stat'];

function tooLargeForRules(path: string): ScanItem {
  const shown = showPath(decodePath(Buffer.from(path, 'latin1')));
  return {
    kind: 'warning',
    message: `${shown} is too large to be read as ignore rules; nothing is ignored by it.`,
  };
}
