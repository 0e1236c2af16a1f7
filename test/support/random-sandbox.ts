/** A random tree put into a sandbox, and operations done to it by commands. */
import { mkdirSync } from 'node:fs';
import { encodePath, type RelPath } from '../../src/base/path-bytes.ts';
import type { UnpackEntry } from '../../src/guest/guest.ts';
import type { BaseFile, ProjectSource } from '../../src/sandbox/project-source.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { performAll } from './random-change.ts';
import type { Operation, RandomTree } from './random-tree.ts';
import { contentsOf, plant } from './tree-on-disk.ts';

/** A tree as a source for either way of putting it in: laid out as an overlay's base, or unpacked. */
export function treeSource(tree: RandomTree): ProjectSource {
  const files = new Map<RelPath, BaseFile>();
  for (const [path, state] of contentsOf(tree)) {
    const [mode, oid] = state.split(' ') as [BaseFile['mode'], string];
    const file = tree.get(path);
    const size = file?.kind === 'symlink' ? encodePath(file.target).length : (file?.bytes.length ?? 0);
    files.set(path as RelPath, { mode, oid, size });
  }
  const manifest = { files, isIgnored: () => false };
  return {
    async writeImage(folder) {
      mkdirSync(folder, { recursive: true });
      plant(folder, tree);
      return manifest;
    },
    async *entries() {
      yield* entriesOf(tree);
    },
    manifest: async () => manifest,
  };
}

function* entriesOf(tree: RandomTree): Generator<UnpackEntry> {
  const made = new Set<string>();
  const mtimeNs = 1_600_000_000_000_000_000n;
  for (const [path, file] of tree) {
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      if (!made.has(folder)) yield { kind: 'directory', path: folder as RelPath, mode: 0o755, mtimeNs };
      made.add(folder);
    }
    const rel = path as RelPath;
    if (file.kind === 'symlink')
      yield { kind: 'symlink', path: rel, mode: 0o777, mtimeNs, target: file.target };
    else
      yield {
        kind: 'file',
        path: rel,
        mode: file.executable ? 0o755 : 0o644,
        mtimeNs,
        content: [file.bytes],
      };
  }
}

/** Runs a command of bash to its end. Throws with what it said when it fails. */
export async function runCommand(sandbox: Sandbox, command: string): Promise<void> {
  let said = '';
  const child = await sandbox.exec({
    argv: ['bash', '-c', command],
    onOutput: (chunk) => {
      said += chunk.toString('utf8');
    },
  });
  const { exitCode } = await child.ended;
  if (exitCode !== 0) throw new Error(`${command}: ${said}`);
}

/** The tree after some operations, and the commands that do them. */
export function inShell(base: RandomTree, operations: readonly Operation[]) {
  const { tree, calls } = performAll(base, operations, { shellOnly: true });
  return {
    tree,
    commands: calls.map(({ input }) => String(input.command).replace('cd "{{workspace}}"; ', '')),
  };
}
