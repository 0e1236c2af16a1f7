import { describe, expect, it } from 'vitest';
import { openToolSandbox } from '../../support/tool-sandbox.ts';

const PROJECT = {
  '.gitignore': 'dist/\n*.log\n',
  'src/main.ts': 'import { help } from "./help.ts";\nhelp({ a: 1 });\n',
  'src/help.ts': 'export function help(x) {\n  return x;\n}\n',
  'src/deep/util.js': 'module.exports = {};\n',
  'dist/out.ts': 'help()\n',
  'app.log': 'help\n',
  '.hidden/help.md': 'Help me\n',
  '.git/config': 'help\n',
  '-rf': 'help dash\n',
};

describe.each([true, false])('glob and grep (with ripgrep: %s)', (withRipgrep) => {
  const names = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('('));

  it('finds files by name at any depth, without .git', async () => {
    const { run } = await openToolSandbox(PROJECT, { withRipgrep });
    expect(names((await run('glob', { pattern: 'help.*' })).text).sort()).toEqual([
      '.hidden/help.md',
      'src/help.ts',
    ]);
    expect(names((await run('glob', { pattern: 'src/**/*.{ts,js}' })).text).sort()).toEqual([
      'src/deep/util.js',
      'src/help.ts',
      'src/main.ts',
    ]);
    expect(names((await run('glob', { pattern: '/src/*.ts' })).text)).toHaveLength(2);
    expect((await run('glob', { pattern: 'config' })).text).toContain('No files match.');
  });

  it('searches below a path', async () => {
    const { run } = await openToolSandbox(PROJECT, { withRipgrep });
    expect(names((await run('glob', { pattern: '*.js', path: 'src' })).text)).toEqual(['src/deep/util.js']);
    expect(names((await run('glob', { pattern: 'deep/*', path: 'src' })).text)).toEqual(['src/deep/util.js']);
    expect((await run('glob', { pattern: '*', path: 'nowhere' })).ok).toBe(false);
    expect((await run('glob', { pattern: '*', path: 'src/main.ts' })).ok).toBe(false);
  });

  it('shows a hundred names at most and counts the others', async () => {
    const files = Object.fromEntries(Array.from({ length: 130 }, (_, i) => [`many/f${i}.txt`, '']));
    const { run } = await openToolSandbox(files, { withRipgrep });
    const result = await run('glob', { pattern: '*.txt' });
    expect(names(result.text)).toHaveLength(100);
    expect(result.text).toContain('(30 more;');
  });

  it('shows matching lines with path and number', async () => {
    const { run } = await openToolSandbox(PROJECT, { withRipgrep });
    const { text } = await run('grep', { pattern: 'help\\(', mode: 'content', path: 'src' });
    expect(names(text).sort()).toEqual([
      'src/help.ts:1:export function help(x) {',
      'src/main.ts:2:help({ a: 1 });',
    ]);
    const around = await run('grep', { pattern: 'return', mode: 'content', context: 1 });
    expect(names(around.text)).toEqual([
      'src/help.ts-1-export function help(x) {',
      'src/help.ts:2:  return x;',
      'src/help.ts-3-}',
    ]);
  });

  it('names files by default, counts when told to, and filters by glob and case', async () => {
    const { run } = await openToolSandbox(PROJECT, { withRipgrep });
    expect(names((await run('grep', { pattern: 'help', glob: '*.ts', path: 'src' })).text).sort()).toEqual([
      'src/help.ts',
      'src/main.ts',
    ]);
    expect(names((await run('grep', { pattern: 'HELP', ignore_case: true, glob: '*.md' })).text)).toEqual([
      '.hidden/help.md',
    ]);
    expect(names((await run('grep', { pattern: 'help', mode: 'count', path: 'src/main.ts' })).text)).toEqual([
      'src/main.ts:2',
    ]);
    expect((await run('grep', { pattern: 'nothing here' })).text).toContain('No matches.');
  });

  it('pages through matches', async () => {
    const { run } = await openToolSandbox(
      { 'n.txt': Array.from({ length: 250 }, (_, i) => `hit ${i}`).join('\n') },
      { withRipgrep },
    );
    const first = await run('grep', { pattern: 'hit', mode: 'content' });
    expect(names(first.text)).toHaveLength(100);
    expect(first.text).toContain('offset=100');
    const last = await run('grep', { pattern: 'hit', mode: 'content', offset: 240 });
    expect(names(last.text)).toHaveLength(10);
    expect(last.text).not.toContain('more matches');
  });

  it('explains a broken pattern', async () => {
    const { run } = await openToolSandbox(PROJECT, { withRipgrep });
    const result = await run('grep', { pattern: 'help(' });
    expect(result.ok).toBe(false);
    expect(result.text).toContain('Escape');
  });

  it('cuts long lines at 500 characters', async () => {
    const { run } = await openToolSandbox({ 'w.txt': `needle${'x'.repeat(1500)}\n` }, { withRipgrep });
    const { text } = await run('grep', { pattern: 'needle', mode: 'content' });
    expect(text).toContain('1006 more characters');
  });
});

describe('glob and grep with ripgrep', () => {
  it('leave out what .gitignore covers, whatever the pattern', async () => {
    const { run } = await openToolSandbox(PROJECT);
    expect((await run('glob', { pattern: '**/*.{ts,log}' })).text).not.toMatch(/dist|app\.log/);
    expect((await run('glob', { pattern: '**' })).text).not.toMatch(/dist|app\.log/);
    expect((await run('grep', { pattern: 'help', glob: '**' })).text).not.toMatch(/dist|app\.log|\.git\//);
  });

  it('matches over lines when told to, and knows types', async () => {
    const { run } = await openToolSandbox(PROJECT);
    expect((await run('grep', { pattern: '\\{\\n  return', multiline: true })).text).toBe('src/help.ts');
    expect((await run('grep', { pattern: '\\{\\n  return' })).text).toContain('multiline');
    expect((await run('grep', { pattern: 'help', type: 'ts' })).text).not.toContain('.md');
    expect((await run('grep', { pattern: 'help', type: 'nosuch' })).text).toContain('Use glob');
  });

  it('shows the newest first', async () => {
    const { run } = await openToolSandbox(PROJECT);
    await run('bash', { command: 'touch -d 2001-01-01 src/main.ts; touch -d 2030-01-01 src/help.ts' });
    expect((await run('glob', { pattern: '/src/*.ts' })).text).toBe('src/help.ts\nsrc/main.ts');
    expect((await run('grep', { pattern: 'help', path: 'src' })).text).toBe('src/help.ts\nsrc/main.ts');
  });
});
