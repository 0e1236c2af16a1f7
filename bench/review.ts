/**
 * Opening a review and pressing its keys: with 10,000 changed files, and with one file of 100,000 changed lines. Everything but
 * the terminal is real: hunks, rows, colours, frames as bytes. A key counts from its arrival to the last byte of the frame
 * that answers it. Against `git diff` of the same trees, written to nowhere. Prints a JSON object for each figure.
 *
 *   node bench/review.ts [keys]
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { RelPath } from '../src/base/path-bytes.ts';
import type { Change } from '../src/diff/change-set.ts';
import { HunkSource } from '../src/review/hunk-source.ts';
import { reviewItems } from '../src/review/review-item.ts';
import { ReviewState } from '../src/review/review-state.ts';
import { reviewInTerminal } from '../src/tui/review/review-in-terminal.ts';
import { printFigure } from './figure.ts';

const KEYS = Number(process.argv[2] ?? 200);
const blobs = new Map<string, Buffer>();

function put(text: string): { mode: '100644'; oid: string } {
  const bytes = Buffer.from(text);
  const oid = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
  blobs.set(oid, bytes);
  return { mode: '100644', oid };
}

const readBlob = async (oid: string) => blobs.get(oid) ?? Buffer.alloc(0);
const lineOf = (n: number, word: string) => `  const ${word}${n} = compute("${word}", ${n}); // the ${n}th\n`;

type Files = Map<string, { before: string; after: string }>;

function manyFiles(): Files {
  const files: Files = new Map();
  for (let n = 0; n < 10_000; n++) {
    const before = Array.from({ length: 30 }, (_, at) => lineOf(at, 'value')).join('');
    files.set(`src/part-${n % 100}/deep/file-${n}.ts`, {
      before,
      after: before.replace('value7 ', `changed${n} `),
    });
  }
  return files;
}

function manyLines(): Files {
  const text = (word: string) => Array.from({ length: 100_000 }, (_, at) => lineOf(at, word)).join('');
  return new Map([['src/large.ts', { before: text('old'), after: text('new') }]]);
}

interface Opened {
  openMs: number;
  keyMs: number[];
}

/** Opens a review on a terminal of 160 by 50 that takes what it is given, and types. */
async function measure(files: Files, keys: readonly string[]): Promise<Opened> {
  const changes: Change[] = [...files].map(([path, { before, after }]) => ({
    path: path as RelPath,
    kind: 'modified',
    before: put(before),
    after: put(after),
  }));
  const items = await reviewItems({ base: '0'.repeat(40), final: '1'.repeat(40), changes }, { readBlob });
  const folder = mkdtempSync(join(tmpdir(), 'sc-bench-review-'));
  const input = new PassThrough() as PassThrough & { setRawMode: () => void };
  input.setRawMode = () => undefined;
  const output = Object.assign(new PassThrough(), { columns: 160, rows: 50 });
  let seen = 0;
  let text = '';
  output.on('data', (piece: Buffer) => {
    seen += piece.length;
    text = (text + piece.toString()).slice(-200_000);
  });
  const until = async (isThere: () => boolean) => {
    while (!isThere()) await new Promise((resolve) => setImmediate(resolve));
  };
  const start = performance.now();
  const state = new ReviewState(items, { tree: '1'.repeat(40) });
  const ended = reviewInTerminal({
    state,
    title: 'bench',
    source: new HunkSource(readBlob),
    readBlob,
    save: () => writeFileSync(join(folder, 'decisions.json'), JSON.stringify(state.toFile())),
    whoWrote: async () => ({ lines: [] }),
    steps: async () => [],
    input: input as unknown as NodeJS.ReadStream,
    output: output as unknown as NodeJS.WriteStream,
    environment: { TERM: 'xterm-256color' },
    mouse: false,
    signal: new AbortController().signal,
  });
  const first = files.size === 1 ? /@@ -1/ : /10,000 files/;
  await until(() => first.test(text));
  const openMs = performance.now() - start;
  const keyMs: number[] = [];
  for (const key of keys) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    const before = seen;
    const at = performance.now();
    input.write(key);
    await until(() => seen > before);
    keyMs.push(performance.now() - at);
  }
  input.write('q');
  await new Promise((resolve) => setTimeout(resolve, 50));
  input.write('k');
  await ended;
  rmSync(folder, { recursive: true, force: true });
  return { openMs, keyMs };
}

function gitDiff(files: Files): number {
  const folder = mkdtempSync(join(tmpdir(), 'sc-bench-review-'));
  try {
    for (const side of ['before', 'after'] as const) {
      for (const [path, content] of files) {
        const target = join(folder, side, path);
        mkdirSync(dirname(target), { recursive: true });
        writeFileSync(target, content[side]);
      }
    }
    const start = performance.now();
    spawnSync('git', ['diff', '--no-index', '--no-color', 'before', 'after'], {
      cwd: folder,
      stdio: 'ignore',
    });
    return performance.now() - start;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const p95 = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * 0.95)] ?? Number.NaN;
const repeat = (keys: string) => Array.from({ length: KEYS }, (_, at) => keys.charAt(at % keys.length));
/** What a person is said not to notice. */
const FLOOR_MS = 50;

for (const [what, files, keys] of [
  ['10,000 files', manyFiles(), '\x0cjjja'],
  ['a diff of 100,000 lines', manyLines(), 'jjj jk'],
] as const) {
  const typed = files.size === 1 ? ['\t', ...repeat(keys), 'G', 'g', 's', 's'] : ['Z', ...repeat(keys)];
  const { openMs, keyMs } = await measure(files, typed);
  printFigure(`review of ${what}: open`, openMs, 'git diff', gitDiff(files), { better: 'lower' });
  printFigure(`review of ${what}: p95 of a key`, p95(keyMs), 'what nobody notices', FLOOR_MS, {
    better: 'lower',
  });
  printFigure(`review of ${what}: slowest key`, Math.max(...keyMs), 'what nobody notices', FLOOR_MS, {
    better: 'lower',
  });
}
