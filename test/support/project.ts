/** Small projects for tests, and a picture of a tree to compare with. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { HostPath } from '../../src/base/path-bytes.ts';

/** Writes files below a new folder. */
export function makeProject(parent: string, files: Record<string, string>, name = 'project'): HostPath {
  const root = join(parent, name);
  mkdirSync(root, { recursive: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root as HostPath;
}

/** Every path below a folder with type, mode, time (to the ms: what Node can set) and content. Equal pictures are equal trees. */
export function pictureOf(root: string): Record<string, string> {
  const picture: Record<string, string> = {};
  const walk = (folder: Buffer, prefix: string) => {
    for (const name of readdirSync(folder, { encoding: 'buffer' })) {
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      const stat = lstatSync(path, { bigint: true });
      const shown = `${prefix}${name.toString('latin1')}`;
      let content = '';
      if (stat.isFile()) content = createHash('sha256').update(readFileSync(path)).digest('hex');
      else if (stat.isSymbolicLink()) content = readlinkSync(path);
      picture[shown] =
        `${stat.mode.toString(8)} ${stat.uid} ${stat.isDirectory() ? '' : stat.mtimeNs / 1_000_000n} ${content}`;
      if (stat.isDirectory()) walk(path, `${shown}/`);
    }
  };
  walk(Buffer.from(root), '');
  return picture;
}

/** A recorded conversation for `replay/FILE`. */
export function writeReplay(file: string, steps: readonly Record<string, unknown>[]): void {
  const lines = [{ format: 'safe-coder-replay', version: 1 }, ...steps].map((line) => JSON.stringify(line));
  writeFileSync(file, `${lines.join('\n')}\n`);
}
