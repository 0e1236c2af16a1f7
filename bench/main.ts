/**
 * All measurements, one after another, as a table of ratios.
 *
 *   npm run bench                  measure and print
 *   npm run bench -- --save        and keep the ratios as the baseline
 *   npm run bench -- --large       with a project of 200,000 files as well
 *   npm run bench -- --check       and fail when a ratio is worse than the baseline by more than its tolerance
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

interface Row {
  what: string;
  ours: number;
  against: string;
  theirs: number;
  /** Ours divided by theirs: lower is better. */
  ratio: number;
}

/** A shared machine's ratios wander; less than this is no news. */
const TOLERANCE = 1.5;

const baselineFile = fileURLToPath(new URL('./baseline.json', import.meta.url));
const { values } = parseArgs({
  options: { save: { type: 'boolean' }, check: { type: 'boolean' }, large: { type: 'boolean' } },
});

function run(script: string, ...args: string[]): Record<string, unknown>[] {
  const file = fileURLToPath(new URL(`./${script}`, import.meta.url));
  const output = execFileSync(process.execPath, [file, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 24,
  });
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function row(what: string, ours: unknown, against: string, theirs: unknown): Row {
  return {
    what,
    ours: Number(ours),
    against,
    theirs: Number(theirs),
    ratio: Math.round((Number(ours) / Number(theirs)) * 1000) / 1000,
  };
}

/** A line that `printFigure` printed. */
function toRow(figure: Record<string, unknown>): Row {
  return row(String(figure.what), figure.ms, String(figure.baseline), figure.baselineMs);
}

interface Pair {
  oursMs: number;
  gitMs: number;
}

function measure(): Row[] {
  const rows = [...run('session.ts'), ...run('egress.ts')].map(toRow);
  const [copyIn] = run('copy-in.ts', '--runs', '3');
  rows.push(row('copy-in of 20,000 files', copyIn?.medianCopyInMs, 'cp -a', copyIn?.medianCpMs));
  const [capture] = run('capture.ts');
  const results = (capture?.results ?? []) as {
    files: number;
    initial: Pair;
    oneFile: Pair;
    thousandFiles: Pair;
  }[];
  for (const { files, initial, oneFile, thousandFiles } of results) {
    const count = files.toLocaleString('en-US');
    rows.push(row(`initial entry, ${count} files borrowed`, initial.oursMs, 'git add -A', initial.gitMs));
    rows.push(row(`entry of 1 file in ${count}`, oneFile.oursMs, 'git add -A && git commit', oneFile.gitMs));
    rows.push(
      row(
        `entry of 1,000 files in ${count}`,
        thousandFiles.oursMs,
        'git add -A && git commit',
        thousandFiles.gitMs,
      ),
    );
  }
  const [apply] = run('apply.ts', '5');
  rows.push(row('apply of 1,000 files, journaled and synced', apply?.applyMs, 'cp -a, sync', apply?.copyMs));
  const wayBack = run('way-back.ts', ...(values.large ? ['--large'] : []));
  return [...rows, ...[...wayBack, ...run('review.ts')].map(toRow)];
}

function print(rows: readonly Row[]): void {
  console.log('| what | ours, ms | against | theirs, ms | ratio |\n|---|---|---|---|---|');
  for (const { what, ours, against, theirs, ratio } of rows)
    console.log(`| ${what} | ${ours} | ${against} | ${theirs} | ${ratio} |`);
}

/** Names every ratio that got worse; true when there is none. */
function check(rows: readonly Row[]): boolean {
  const baseline = JSON.parse(readFileSync(baselineFile, 'utf8')) as Record<string, number>;
  const worse = rows.filter(
    ({ what, ratio }) => ratio > (baseline[what] ?? Number.POSITIVE_INFINITY) * TOLERANCE,
  );
  for (const { what, ratio } of worse) console.log(`worse: ${what}: ${ratio}, baseline ${baseline[what]}`);
  const missing = Object.keys(baseline).filter((what) => !rows.some((each) => each.what === what));
  for (const what of missing) console.log(`not measured: ${what}`);
  return worse.length === 0 && missing.length === 0;
}

const rows = measure();
print(rows);
if (values.save)
  writeFileSync(
    baselineFile,
    `${JSON.stringify(Object.fromEntries(rows.map(({ what, ratio }) => [what, ratio])), null, 2)}\n`,
  );
if (values.check && !check(rows)) process.exitCode = 1;
