/**
 * Copy-in against `cp -a`: the same tree, in the same run, in turns. Prints one JSON object.
 *
 *   node bench/copy-in.ts [--files 20000] [--runs 5] [--folder DIR]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { HostPath } from '../src/base/path-bytes.ts';
import { copyIn, openProject } from '../src/workspace/copy-in.ts';
import { median } from './figure.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '20000' },
    runs: { type: 'string', default: '5' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const files = Number(values.files);
const runs = Number(values.runs);
const MEAN_BYTES = 5600;
const FILES_PER_FOLDER = 12;

/** Files of about source code's sizes (exponential around {@link MEAN_BYTES}); the same tree every time. */
function makeTree(root: string): number {
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
  const text = Buffer.from(Array.from({ length: 1 << 20 }, () => 32 + Math.floor(random() * 90)));
  let bytes = 0;
  for (let file = 0; file < files; file++) {
    const folder = join(
      root,
      `part${Math.floor(file / FILES_PER_FOLDER / 40)}`,
      `m${Math.floor(file / FILES_PER_FOLDER)}`,
    );
    if (file % FILES_PER_FOLDER === 0) mkdirSync(folder, { recursive: true });
    const size = Math.min(text.length >> 1, Math.floor(-Math.log(1 - random() * 0.99999) * MEAN_BYTES));
    const from = Math.floor(random() * (text.length - size));
    writeFileSync(join(folder, `file${file}.ts`), text.subarray(from, from + size));
    bytes += size;
  }
  return bytes;
}

async function timeCopyIn(root: string, imageFile: string): Promise<{ ms: number; imageBytes: number }> {
  const start = performance.now();
  using project = openProject(root as HostPath, { stateFolders: [] });
  // Ids are computed; where the blobs go is measured by the ledger's own benchmark.
  const blobs = { objectFormat: 'sha1' as const, has: () => true, write: () => undefined };
  const limits = { maxEntries: Number.POSITIVE_INFINITY };
  const { imageBytes } = await copyIn(project, {
    imageFile: imageFile as HostPath,
    owner: { uid: 1000, gid: 1000 },
    blobs,
    limits,
  });
  return { ms: performance.now() - start, imageBytes };
}

const folder = mkdtempSync(join(values.folder, 'sc-bench-'));
try {
  const root = join(folder, 'project');
  const bytes = makeTree(root);
  const copyInMs: number[] = [];
  const cpMs: number[] = [];
  let imageBytes = 0;
  let rss = 0;
  for (let run = 0; run < runs; run++) {
    const image = join(folder, 'image');
    const copied = await timeCopyIn(root, image);
    copyInMs.push(Math.round(copied.ms));
    imageBytes = copied.imageBytes;
    rss = Math.max(rss, process.memoryUsage.rss());
    const start = performance.now();
    execFileSync('cp', ['-a', root, join(folder, 'copy')]);
    cpMs.push(Math.round(performance.now() - start));
    rmSync(image);
    rmSync(join(folder, 'copy'), { recursive: true });
  }
  const result = {
    bench: 'copy-in',
    files,
    bytes,
    imageBytes,
    copyInMs,
    cpMs,
    medianCopyInMs: median(copyInMs),
    medianCpMs: median(cpMs),
    ratio: Number((median(copyInMs) / median(cpMs)).toFixed(3)),
    mustReach: 1.5,
    rssBytes: rss,
  };
  console.log(JSON.stringify(result));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
