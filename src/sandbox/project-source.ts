/** How a project gets into a sandbox. The caller implements it; what is in the project is the caller's knowledge. */
import type { HostPath, RelPath } from '../base/path-bytes.ts';
import type { UnpackEntry } from '../guest/guest.ts';

export interface BaseFile {
  mode: '100644' | '100755' | '120000';
  /** Object id of the blob, as the ledger's initial entry records it. */
  oid: string;
  size: number;
}

/** The project as it was put in: what capture compares with. */
export interface BaseManifest {
  /** Every file and symlink that is part of the base, without the root `.git`. */
  readonly files: ReadonlyMap<RelPath, BaseFile>;
  /**
   * The base's own ignore rules for one path. Asked from the root downwards: below a directory that is ignored
   * nothing is asked.
   */
  isIgnored(path: RelPath, isDirectory: boolean): boolean;
}

export interface ProjectSource {
  /** Writes the project as a file system image; called for backends that populate by image. */
  writeImage(file: HostPath, signal: AbortSignal): Promise<BaseManifest>;
  /** The project entry by entry, parents first; called for backends that populate by unpacking. */
  entries(signal: AbortSignal): AsyncIterable<UnpackEntry>;
  /** Called once `entries` was read to its end. */
  manifest(): Promise<BaseManifest>;
}
