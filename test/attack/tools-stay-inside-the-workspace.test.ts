import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temp.ts';
import { openToolSandbox } from '../support/tool-sandbox.ts';

describe('file tools never read or write outside the workspace', () => {
  it('by absolute paths, dots or symlinks, in a real file system', async () => {
    const outside = temporaryFolder();
    writeFileSync(`${outside}/secret`, 'SECRET\n');
    const { run, root } = await openToolSandbox(
      { 'a.txt': 'a\n' },
      { links: { file: `${outside}/secret`, dir: outside, up: '..', new: `${outside}/new` } },
    );
    symlinkSync('loop', `${root}/loop`);
    const paths = [
      `${outside}/secret`,
      `../../../../../../../../../..${outside}/secret`,
      `${root}/../../../../../..${outside}/secret`,
      'file',
      'dir/secret',
      'up/../../x',
      'loop',
      'loop/x',
      '/proc/self/environ',
      '/proc/self/root/etc/passwd',
    ];
    for (const path of paths) {
      for (const [tool, input] of [
        ['read', { path }],
        ['write', { path, content: 'EVIL' }],
        ['edit', { path, old_string: '', new_string: 'EVIL' }],
        ['edit', { path, old_string: 'SECRET', new_string: 'EVIL' }],
        ['grep', { pattern: 'SECRET', path, mode: 'content' }],
        ['glob', { pattern: '*', path }],
      ] as const) {
        const result = await run(tool, input);
        expect(result.ok, `${tool} ${path}`).toBe(false);
        expect(result.text, `${tool} ${path}`).not.toContain('SECRET\n');
      }
    }
    for (const path of ['new', 'dir/new', 'dir/x/new', `${outside}/new`]) {
      expect((await run('write', { path, content: 'EVIL' })).ok, path).toBe(false);
    }
    expect(readFileSync(`${outside}/secret`, 'utf8')).toBe('SECRET\n');
    expect(existsSync(`${outside}/new`)).toBe(false);
    expect((await run('grep', { pattern: 'SECRET' })).text).toContain('No matches.');
  });
});
