/** A small project in memory, as a source for sandboxes under test. */
import type { HostPath, RelPath } from '../../src/base/path-bytes.ts';
import { encodePath } from '../../src/base/path-bytes.ts';
import type { UnpackEntry } from '../../src/guest/guest.ts';
import type { BaseFile, BaseManifest, ProjectSource } from '../../src/sandbox/project-source.ts';
import { blobId } from './memory-sink.ts';

export type ProjectFiles = Record<string, { content: string; mode?: number } | { target: string }>;

export interface TestProject {
  files: ProjectFiles;
  manifest: BaseManifest;
  /** Parents first, as they are unpacked or laid out in an image. */
  entries: UnpackEntry[];
}

/** Ignored by the base's rules in these projects: whatever is named `ignored`, and what is below it. */
export function isIgnored(path: string): boolean {
  return path.split('/').includes('ignored');
}

export function createProject(files: ProjectFiles): TestProject {
  const entries: UnpackEntry[] = [];
  const base = new Map<RelPath, BaseFile>();
  const made = new Set<string>();
  const mtimeNs = 1_600_000_000_000_000_000n;
  for (const [path, node] of Object.entries(files)) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const directory = parts.slice(0, depth).join('/') as RelPath;
      if (!made.has(directory)) entries.push({ kind: 'directory', path: directory, mode: 0o755, mtimeNs });
      made.add(directory);
    }
    const rel = path as RelPath;
    if ('target' in node) {
      const bytes = encodePath(node.target);
      entries.push({ kind: 'symlink', path: rel, mode: 0o777, mtimeNs, target: node.target });
      base.set(rel, { mode: '120000', oid: blobId(bytes), size: bytes.length });
    } else {
      const bytes = Buffer.from(node.content);
      const mode = node.mode ?? 0o644;
      entries.push({ kind: 'file', path: rel, mode, mtimeNs, content: [bytes] });
      const tree = (mode & 0o100) === 0 ? '100644' : '100755';
      base.set(rel, { mode: tree, oid: blobId(bytes), size: bytes.length });
    }
  }
  return { files, entries, manifest: { files: base, isIgnored } };
}

/** A source that unpacks, and that writes images with `writeImage` when a backend needs them. */
export function sourceOf(
  project: TestProject,
  writeImage: (file: HostPath, project: TestProject) => Promise<void> = () =>
    Promise.reject(new Error('this test has no image writer')),
): ProjectSource {
  return {
    async writeImage(file) {
      await writeImage(file, project);
      return project.manifest;
    },
    async *entries() {
      yield* project.entries;
    },
    manifest: async () => project.manifest,
  };
}
