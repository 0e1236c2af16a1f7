/** Bytes of the project as they came in, from wherever they still are. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodePath, type HostPath, type RelPath } from '../base/path-bytes.ts';
import { hashObject, type ObjectFormat } from '../git/object-id.ts';

const MAX_BYTES = 1 << 30;

/**
 * Looks up files of the base by their blob's id in the project on the host, where most are what they were. For what the
 * project's own git no longer gives; undefined where the file is another one now.
 */
export class OriginalFiles {
  readonly #root: HostPath;
  readonly #format: ObjectFormat;
  readonly #files: ReadonlyMap<RelPath, { oid: string }>;
  #paths: Map<string, RelPath[]> | undefined;

  constructor(root: HostPath, format: ObjectFormat, files: ReadonlyMap<RelPath, { oid: string }>) {
    this.#root = root;
    this.#format = format;
    this.#files = files;
  }

  /** The bytes whose id this is. */
  async read(oid: string): Promise<Buffer | undefined> {
    for (const path of this.#pathsOf(oid)) {
      const bytes = readPlainFile(join(this.#root, path));
      if (bytes !== undefined && hashObject(this.#format, 'blob', bytes) === oid) return bytes;
    }
    return undefined;
  }

  #pathsOf(oid: string): RelPath[] {
    if (this.#paths === undefined) {
      this.#paths = new Map();
      for (const [path, file] of this.#files) {
        const known = this.#paths.get(file.oid);
        if (known) known.push(path);
        else this.#paths.set(file.oid, [path]);
      }
    }
    return this.#paths.get(oid) ?? [];
  }
}

/** A regular file. Never waits at a pipe that lies in its place. */
function readPlainFile(path: string): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(encodePath(path), constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  } catch {
    // Gone or out of reach: the bytes are not here.
    return undefined;
  }
  try {
    const stat = fstatSync(fd);
    return stat.isFile() && stat.size <= MAX_BYTES ? readFileSync(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}
