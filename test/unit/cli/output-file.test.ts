import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeOutputFile } from '../../../src/cli/output-file.ts';
import { temporaryFolder } from '../../support/temp.ts';

const fill = async (path: string) => writeFileSync(path, 'new');

describe('a file that was asked for', () => {
  it('takes a name that is free, and one that is taken only by force', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'out');
    await writeOutputFile(path, { force: false }, fill);
    writeFileSync(path, 'old');
    await expect(writeOutputFile(path, { force: false }, fill)).rejects.toThrow(/is there already/);
    expect(readFileSync(path, 'utf8')).toBe('old');
    await writeOutputFile(path, { force: true }, fill);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['out']);
  });

  it('never takes the place of a pipe, a folder or a link, by no force', async () => {
    const folder = temporaryFolder();
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    mkdirSync(join(folder, 'directory'));
    symlinkSync('elsewhere', join(folder, 'link'));
    for (const name of ['pipe', 'directory', 'link']) {
      await expect(writeOutputFile(join(folder, name), { force: true }, fill)).rejects.toThrow(
        /no ordinary file/,
      );
    }
    expect(lstatSync(join(folder, 'pipe')).isFIFO()).toBe(true);
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['directory', 'link', 'pipe']);
  });
});
