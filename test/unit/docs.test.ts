import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildProgram } from '../../src/cli/program.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'AGENTS.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

describe('the pages', () => {
  it.each(pages)('%s links only to what is there', (page) => {
    const text = readFileSync(join(root, page), 'utf8');
    const targets = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
      .map((match) => match[1] ?? '')
      .filter((target) => !/^https?:/.test(target));
    const broken = targets.filter((target) => !existsSync(resolve(root, dirname(page), target)));
    expect(broken).toEqual([]);
  });

  it('name a test for every guarantee', () => {
    const rows = readFileSync(join(root, 'docs/security.md'), 'utf8')
      .split('\n')
      .filter((line) => /^\| .* \| .*\|$/.test(line) && line.includes('](../test/'));
    expect(rows.length).toBeGreaterThan(12);
    const named = rows.flatMap((row) =>
      [...row.matchAll(/\.\.\/test\/attack\/([\w-]+)\.test\.ts/g)].map((match) => match[1]),
    );
    const attacks = readdirSync(join(root, 'test/attack'))
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => name.replace('.test.ts', ''));
    expect(attacks.filter((name) => !named.includes(name))).toEqual([]);
  });

  it('list every command in the README', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const missing = buildProgram()
      .commands.map((command) => command.name())
      .filter((name) => !readme.includes(`\`${name}`));
    expect(missing).toEqual([]);
  });
});
