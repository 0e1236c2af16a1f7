import { lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { keepAllowed } from '../../../src/config/keep-allowed.ts';
import { temporaryFolder } from '../../support/temp.ts';

describe('a host that is allowed for good', () => {
  it('joins the person’s settings, which keep their comments and all else', () => {
    const file = join(temporaryFolder(), 'config.jsonc') as HostPath;
    writeFileSync(file, '{\n  // mine\n  "cpus": 4,\n  "allow": ["a.test"], // some\n}\n');
    keepAllowed(file, 'b.test:8443');
    keepAllowed(file, 'a.test');
    const text = readFileSync(file, 'utf8');
    expect(text).toContain('// mine');
    expect(text).toContain('// some');
    expect(text).toContain('"cpus": 4');
    expect(text.match(/a\.test/g)).toHaveLength(1);
    expect(text).toContain('b.test:8443');
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is written through a link, and into nothing but a file', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'real.jsonc'), '{}');
    symlinkSync('real.jsonc', join(folder, 'config.jsonc'));
    keepAllowed(join(folder, 'config.jsonc') as HostPath, 'a.test');
    expect(lstatSync(join(folder, 'config.jsonc')).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(folder, 'real.jsonc'), 'utf8')).toContain('a.test');
    mkdirSync(join(folder, 'directory'));
    expect(() => keepAllowed(join(folder, 'directory') as HostPath, 'a.test')).toThrow(/is no file/);
  });

  it('makes the file where there is none', () => {
    const file = join(temporaryFolder(), 'config.jsonc') as HostPath;
    keepAllowed(file, 'a.test');
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ allow: ['a.test'] });
  });
});
