import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import type { DecisionFile } from '../../../src/review/decision.ts';
import { loadDecisions, saveDecisions } from '../../../src/session/review-store.ts';
import { temporaryFolder } from '../../support/temp.ts';

const CHILD = fileURLToPath(new URL('saving-child.ts', import.meta.url));
const ROUNDS = 12;
const FILE: DecisionFile = {
  version: 1,
  tree: 'a'.repeat(40),
  decisions: [
    { path: 'a \udcff b', decision: 'accept', comment: 'fine' },
    {
      path: 'b',
      decision: 'partial',
      hunks: [
        { hunk: '0123456789ab', decision: 'lines', lines: [1, 4] },
        { hunk: '0123456789ac', decision: 'edit', new: { base64: '/w==' } },
      ],
      mode: 'reject',
      onConflict: 'edit',
      resolution: { text: 'both\n' },
    },
  ],
};

const makeFolder = () => temporaryFolder() as HostPath;

/** Runs the child until it has told of `saves` saves and a moment more; the last number that it told. */
async function saveUntilKilled(folder: HostPath, saves: number, moreMs: number): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, [CHILD, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let told = '';
  await new Promise<void>((resolve) => {
    child.on('close', () => resolve());
    let isDoomed = false;
    child.stdout?.on('data', (chunk: Buffer) => {
      told += chunk.toString('latin1');
      if (isDoomed || told.split('\n').length <= saves) return;
      isDoomed = true;
      setTimeout(() => child.kill('SIGKILL'), moreMs);
    });
  });
  return Number(told.split('\n').at(-2));
}

describe('saved decisions', () => {
  it('come back as they were, to nobody else', () => {
    const folder = makeFolder();
    expect(loadDecisions(folder)).toEqual({ file: undefined });
    saveDecisions(folder, FILE);
    expect(loadDecisions(folder)).toEqual({ file: FILE });
    expect(statSync(join(folder, 'decisions.json')).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['decisions.json']);
  });

  it('are whole and none is lost when the process is killed at any moment', async () => {
    const folder = makeFolder();
    for (let round = 0; round < ROUNDS; round++) {
      const told = await saveUntilKilled(folder, 3 + round * 2, round % 4);
      const found = loadDecisions(folder);
      expect(found.damaged).toBeUndefined();
      // What was told of is on the disk; the save under way at the kill may be, too.
      expect([told, told + 1]).toContain(found.file?.decisions.length);
      expect(readdirSync(folder)).toEqual(['decisions.json']);
    }
  });

  it('that are damaged are put aside and named, each under a name of its own', () => {
    const folder = makeFolder();
    for (const [number, text] of ['{"version":1,"deci', '{"version":9}', ''].entries()) {
      writeFileSync(join(folder, 'decisions.json'), text);
      const found = loadDecisions(folder);
      expect(found.file).toBeUndefined();
      expect(found.damaged).toBe(join(folder, `decisions.json.damaged-${number + 1}`));
      expect(readFileSync(found.damaged ?? '', 'utf8')).toBe(text);
    }
    expect(loadDecisions(folder)).toEqual({ file: undefined });
  });

  it('stay when there is no saving the next ones', () => {
    const folder = makeFolder();
    saveDecisions(folder, FILE);
    const huge = { path: 'c', decision: 'accept' as const, onConflict: 'edit' as const };
    const resolution = { text: 'x'.repeat(65 << 20) };
    expect(() => saveDecisions(folder, { version: 1, decisions: [{ ...huge, resolution }] })).toThrow(
      expect.objectContaining({ code: 'usage/bad-argument' }),
    );
    mkdirSync(join(folder, `decisions.json.${process.pid}.tmp`));
    expect(() => saveDecisions(folder, { version: 1, decisions: [] })).toThrow(
      expect.objectContaining({ code: 'session/damaged' }),
    );
    expect(loadDecisions(folder).file).toEqual(FILE);
  });

  it('that may not be read are an error and not forgotten', () => {
    const folder = makeFolder();
    mkdirSync(join(folder, 'decisions.json'));
    chmodSync(join(folder, 'decisions.json'), 0o700);
    expect(() => loadDecisions(folder)).toThrow(expect.objectContaining({ code: 'session/damaged' }));
  });
});
