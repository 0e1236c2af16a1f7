/** What a session starts from: every file that the ledger is to hold, and everything that did not come along. */
import { decodePath, type HostPath, type RelPath, showPath } from '../base/path-bytes.ts';
import type { FileMode } from '../diff/change-set.ts';
import type { Project } from './project.ts';
import type { Scan } from './scan.ts';
import type { ScanItem } from './scan-item.ts';
import type { SkipReason } from './walk.ts';

export interface BaseFile {
  mode: FileMode;
  /** Id of the blob that was handed to the blob target. */
  oid: string;
  size: number;
}

export interface BaseSnapshot {
  /** What the ledger's initial entry holds: neither ignored nor in a `.git`, or tracked by the project's git. */
  readonly files: ReadonlyMap<RelPath, BaseFile>;
  /** Secrets that stayed on the host. They don't exist in the guest at all. */
  readonly withheld: readonly { path: RelPath; reason: string }[];
  /** What could not come along; `too-large` did, but is not in `files`. */
  readonly skipped: readonly { path: RelPath; reason: SkipReason; detail?: string }[];
  /** Files and folders that the rules ignore, outermost only. They came along but are not in `files`. */
  readonly ignored: readonly RelPath[];
  /** `.git` directories below the root. They came along, cleaned, but are not in `files`. */
  readonly nestedGit: readonly RelPath[];
  /** Changed while they were copied; the copy, the ledger and the ids hold what was read. */
  readonly unstable: readonly RelPath[];
  /** Sentences for the user. */
  readonly warnings: readonly string[];
  /** Files, links and directories that came along, and the bytes of the files. */
  readonly entries: number;
  readonly bytes: number;
  readonly git: {
    readonly kind: 'directory' | 'pointer' | 'none';
    readonly objectFormat: 'sha1' | 'sha256';
    readonly head: string | undefined;
    readonly branch: string | undefined;
    /** Where the project keeps its objects, for borrowing. */
    readonly objectsFolder: HostPath | undefined;
    /** Blob ids that the project's index names: these are (or were) in its object store. */
    readonly indexed: ReadonlySet<string>;
    /** What of `.git` stayed on the host on purpose (hooks, locks, credentials). */
    readonly left: readonly RelPath[];
  };
  /** Whether the base's rules ignore a path. False for what the project's git tracks. */
  isIgnored(path: RelPath, isDirectory: boolean): boolean;
}

/** Collects a snapshot from the items of a scan. */
export class SnapshotBuilder {
  readonly #project: Project;
  readonly #files = new Map<RelPath, BaseFile>();
  readonly #withheld: { path: RelPath; reason: string }[] = [];
  readonly #skipped: { path: RelPath; reason: SkipReason; detail?: string }[] = [];
  readonly #ignored: RelPath[] = [];
  readonly #nestedGit: RelPath[] = [];
  readonly #unstable: RelPath[] = [];
  readonly #warnings: string[] = [];
  readonly #gitLeft: RelPath[] = [];

  constructor(project: Project) {
    this.#project = project;
    if (project.git.hasAlternates) {
      this.#warnings.push(
        "The project's git borrows objects from another repository, which stays on the host: its history is incomplete in the guest.",
      );
    }
  }

  add(item: ScanItem): void {
    switch (item.kind) {
      case 'file':
        if (item.wasUnstable) this.#unstable.push(toRelPath(item.path));
        if (item.oid !== undefined) {
          const mode = (item.mode & 0o100) === 0 ? '100644' : '100755';
          this.#files.set(toRelPath(item.path), { mode, oid: item.oid, size: item.size });
        }
        break;
      case 'symlink':
        if (item.oid !== undefined) {
          this.#files.set(toRelPath(item.path), { mode: '120000', oid: item.oid, size: item.target.length });
        }
        break;
      case 'withhold':
        this.#withhold(item.path, item.reason);
        break;
      case 'skip': {
        const { kind: _, path, ...why } = item;
        this.#skipped.push({ path: toRelPath(path), ...why });
        break;
      }
      case 'ignored':
        this.#ignored.push(toRelPath(item.path));
        break;
      case 'nested-git':
        this.#nestedGit.push(toRelPath(item.path));
        break;
      case 'git-left':
        this.#gitLeft.push(toRelPath(item.path));
        break;
      case 'warning':
        this.#warnings.push(item.message);
        break;
    }
  }

  finish(scan: Scan): BaseSnapshot {
    const { git } = this.#project;
    const indexed = new Set<string>();
    for (const entry of git.index?.values() ?? []) indexed.add(entry.oid);
    return {
      files: this.#files,
      withheld: this.#withheld,
      skipped: this.#skipped,
      ignored: this.#ignored,
      nestedGit: this.#nestedGit,
      unstable: this.#unstable,
      warnings: this.#warnings,
      entries: scan.entries,
      bytes: scan.bytes,
      git: {
        kind: git.kind,
        objectFormat: git.objectFormat,
        head: git.head,
        branch: git.branch,
        objectsFolder: git.objectsFolder,
        indexed,
        left: this.#gitLeft,
      },
      isIgnored: (path, isDirectory) => !this.#files.has(path) && scan.rules.isIgnored(path, isDirectory),
    };
  }

  #withhold(path: string, reason: string): void {
    const withheld = toRelPath(path);
    this.#withheld.push({ path: withheld, reason });
    if (this.#project.git.index?.has(path)) {
      this.#warnings.push(
        `${showPath(withheld)} is withheld, but git tracks it: its committed versions come along in the history.`,
      );
    }
  }
}

/** A path of the scan (one byte per character) as the rest of the program has it. */
export function toRelPath(path: string): RelPath {
  return (/[\x80-\xff]/.test(path) ? decodePath(Buffer.from(path, 'latin1')) : path) as RelPath;
}
