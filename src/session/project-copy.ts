/**
 * The project of a session: opened once, copied into guest and ledger in one pass. What the ledger's initial entry holds is
 * what the guest began with.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SafeCoderError } from '../base/errors.ts';
import type { Emit, EventBody, IsolationInfo } from '../base/events.ts';
import type { HostPath, RelPath } from '../base/path-bytes.ts';
import { parseRelPath, showPath } from '../base/path-bytes.ts';
import type { Directories } from '../config/directories.ts';
import type { Settings } from '../config/schema.ts';
import type { Entry } from '../ledger/ledger.ts';
import { createLedger, type LedgerWriter } from '../ledger/writer.ts';
import type { WriterOptions } from '../ledger/writer-options.ts';
import type { BaseManifest, ProjectSource } from '../sandbox/project-source.ts';
import {
  type BaseSnapshot,
  type BlobTarget,
  copyIn,
  EntryStream,
  openProject,
  type Project,
} from '../workspace/copy-in.ts';
import { OriginalFiles } from './original-files.ts';
import type { SessionFolder } from './store.ts';

interface CopyOptions {
  home: HostPath;
  directories: Directories;
  settings: Settings;
}

export class ProjectCopy implements Disposable {
  readonly #project: Project;
  readonly #options: CopyOptions;
  #snapshot: BaseSnapshot | undefined;

  private constructor(project: Project, options: CopyOptions) {
    this.#project = project;
    this.#options = options;
  }

  /** Throws `usage/*` and `workspace/*` for a folder that can't be a project. */
  static open(path: HostPath, options: CopyOptions): ProjectCopy {
    const { state, cache, config } = options.directories;
    return new ProjectCopy(
      openProject(path, { home: options.home, stateFolders: [state, cache, config] }),
      options,
    );
  }

  /** Absolute, links resolved. */
  get root(): HostPath {
    return this.#project.root;
  }

  /** The commit that is checked out in the project's own repository, if it has one. */
  get gitHead(): string | undefined {
    return this.#project.git.head;
  }

  /** Paths that stayed on the host because they look like secrets. */
  get withheld(): string[] {
    return this.#snapshot?.withheld.map(({ path }) => path) ?? [];
  }

  get snapshot(): BaseSnapshot {
    if (this.#snapshot === undefined) throw new SafeCoderError('bug', 'The project was not copied yet.');
    return this.#snapshot;
  }

  /** Whether the project's own rules ignore a file. */
  isIgnored(path: string): boolean {
    return this.snapshot.isIgnored(path as RelPath, false);
  }

  createLedger(folder: SessionFolder, options: WriterOptions): Promise<LedgerWriter> {
    const { objectFormat } = this.#project.git;
    this.#checkShared();
    return createLedger({ ...options, dir: folder.ledger, objectFormat, session: folder.record.id });
  }

  /**
   * What the sandbox copies from; blobs go to the ledger on the way, unless the project's own objects have them, or the
   * ledger knows already what it is to hold (`isAgain`).
   */
  source(ledger: LedgerWriter, run: HostPath, emit: Emit, { isAgain = false } = {}): ProjectSource {
    const { uid, gid } = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
    const options = async () => ({
      blobs: isAgain ? withoutBlobs(ledger) : await this.#blobTarget(ledger),
      shared: this.#shared(),
      onProgress: ({ entries }: { entries: number }) =>
        emit({ type: 'progress', phase: 'Copying the project', done: entries, unit: 'files' }),
    });
    let stream: EntryStream | undefined;
    return {
      writeImage: async (imageFile, signal) => {
        const { snapshot } = await copyIn(this.#project, {
          ...(await options()),
          imageFile,
          owner: { uid, gid },
          signal,
        });
        return this.#keep(snapshot);
      },
      entries: (signal) =>
        this.#entries(async () => {
          stream = new EntryStream(this.#project, {
            ...(await options()),
            spoolFile: join(run, 'spool') as HostPath,
            signal,
          });
          return stream;
        }),
      manifest: async () => {
        if (stream === undefined) throw new SafeCoderError('bug', 'The project was not read yet.');
        return this.#keep(stream.snapshot);
      },
    };
  }

  async *#entries(open: () => Promise<EntryStream>) {
    yield* (await open()).entries();
  }

  /** Writes the entry that everything is compared with. */
  async commitInitial(ledger: LedgerWriter, isolation: IsolationInfo, at: Date): Promise<Entry> {
    const { snapshot } = this;
    const originals = new OriginalFiles(this.root, ledger.objectFormat, snapshot.files);
    ledger.fallBackOn((oid) => originals.read(oid));
    return ledger.commitInitial({
      title: 'Initial snapshot - Safe Coder VM',
      at,
      files: snapshot.files,
      turn: 0,
      skipped: snapshot.skipped.map(({ path, reason, detail }) => ({
        path,
        reason,
        ...(detail === undefined ? {} : { detail }),
      })),
      ignored: snapshot.ignored.length,
      gitChanged: false,
      ...describeIsolation(isolation),
    });
  }

  /** Throws `usage/bad-argument` for a withheld file that was to be let in and is not there. */
  #checkShared(): void {
    for (const path of this.#shared()) {
      if (existsSync(join(this.root, path))) continue;
      throw new SafeCoderError(
        'usage/bad-argument',
        `--share ${showPath(path)}: there is no such file in the project.`,
        {
          hint: 'Name it relative to the project, e.g. --share .env',
        },
      );
    }
  }

  /** What the person should know about the copy. */
  warnings(): EventBody[] {
    const { snapshot } = this;
    const warnings: EventBody[] = snapshot.warnings.map((message) => ({
      type: 'warning',
      code: 'workspace/note',
      message,
    }));
    const named = (paths: readonly { path: RelPath; reason: string }[]) => {
      const first = paths.slice(0, 5).map(({ path, reason }) => `${showPath(path)} (${reason})`);
      return `${first.join(', ')}${paths.length > 5 ? ` and ${paths.length - 5} more` : ''}`;
    };
    if (snapshot.skipped.length > 0) {
      warnings.push({
        type: 'warning',
        code: 'workspace/skipped',
        message: `Not in the ledger: ${named(snapshot.skipped)}.`,
      });
    }
    if (snapshot.unstable.length > 0) {
      const paths = snapshot.unstable.map((path) => ({ path, reason: 'the copy is what was read' }));
      warnings.push({
        type: 'warning',
        code: 'workspace/unstable',
        message: `Changed while they were copied: ${named(paths)}.`,
      });
    }
    return warnings;
  }

  [Symbol.dispose](): void {
    this.#project[Symbol.dispose]();
  }

  #keep(snapshot: BaseSnapshot): BaseManifest {
    this.#snapshot = snapshot;
    return {
      files: snapshot.files,
      isIgnored: (path, isDirectory) => snapshot.isIgnored(path, isDirectory),
    };
  }

  async #blobTarget(ledger: LedgerWriter): Promise<BlobTarget> {
    const { git } = this.#project;
    const indexed = new Set<string>();
    for (const { oid } of git.index?.values() ?? []) indexed.add(oid);
    const borrowed =
      git.objectsFolder === undefined || indexed.size === 0
        ? new Set<string>()
        : await ledger.borrowObjects({ objectsDir: git.objectsFolder, oids: indexed });
    const sink = ledger.blobSink();
    return {
      objectFormat: sink.objectFormat,
      has: (oid) => borrowed.has(oid),
      write: (_oid, size, chunks) => {
        sink.writeBlob(size, chunks);
      },
    };
  }

  #shared(): RelPath[] {
    return this.#options.settings.share.map((path) => {
      const shared = parseRelPath(path.replace(/^\.\//, '').replace(/\/$/, ''));
      if (shared !== undefined) return shared;
      throw new SafeCoderError('usage/bad-argument', `--share ${path} is no path inside the project.`, {
        hint: 'Name it relative to the project, e.g. --share .env',
      });
    });
  }
}

function withoutBlobs(ledger: LedgerWriter): BlobTarget {
  return { objectFormat: ledger.objectFormat, has: () => true, write: () => undefined };
}

/** An isolation as entries record it. */
export function describeIsolation({ level, backend, accel, proof }: IsolationInfo) {
  return {
    isolation: `${level} ${backend} ${accel}`,
    proof: proof.checks
      .map(({ name, ok, detail }) => `${ok ? 'ok' : 'FAILED'} ${name}: ${detail}`)
      .join('; '),
  };
}
