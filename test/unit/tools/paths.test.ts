import { describe, expect, it } from 'vitest';
import { createTools } from '../../../src/tools/create-tools.ts';
import { FakeSandbox, toolRunner } from '../../support/fake-sandbox.ts';

function setup() {
  const sandbox = new FakeSandbox({
    'in.txt': 'in\n',
    '/etc/passwd': 'root\n',
    '/home/user/project-2/x': 'other\n',
  });
  return { sandbox, ...toolRunner(sandbox, createTools()) };
}

describe('paths of file tools', () => {
  it('are refused outside the workspace, however they are written', async () => {
    const { run } = setup();
    for (const path of [
      '/etc/passwd',
      '../../../etc/passwd',
      'a/../../../../etc/passwd',
      '/home/user/project/../project-2/x',
      '/',
      '..',
    ]) {
      const result = await run('read', { path });
      expect(result.ok).toBe(false);
      expect(result.text).toContain('outside the workspace');
      expect((await run('write', { path: `${path}/new`, content: 'x' })).ok).toBe(false);
    }
  });

  it('are refused when a symlink leads out, as the last part or before it', async () => {
    const { sandbox, run } = setup();
    sandbox.link('leak', '/etc/passwd');
    sandbox.link('dir', '/etc');
    for (const path of ['leak', 'dir/passwd', 'dir']) {
      const result = await run('read', { path });
      expect(result.text).toContain('symbolic link');
      expect(result.ok).toBe(false);
    }
    for (const path of ['leak', 'dir/passwd', 'dir/new', 'dir/a/b']) {
      expect((await run('write', { path, content: 'evil' })).ok).toBe(false);
    }
    expect(sandbox.text('/etc/passwd')).toBe('root\n');
    expect(sandbox.has('/etc/new')).toBe(false);
  });

  it('are refused when a symlink leads nowhere, because a write would follow it', async () => {
    const { sandbox, run } = setup();
    sandbox.link('dangling', '/etc/new');
    sandbox.link('dangling-dir', '/etc/newdir');
    for (const path of ['dangling', 'dangling-dir/x']) {
      expect((await run('write', { path, content: 'evil' })).text).toContain('symbolic link to');
    }
    expect(sandbox.has('/etc/new')).toBe(false);
    expect(sandbox.has('/etc/newdir')).toBe(false);
  });

  it('follow a symlink that stays inside, and name what was really written', async () => {
    const { sandbox, run } = setup();
    sandbox.link('alias', 'in.txt');
    await run('read', { path: 'alias' });
    const result = await run('write', { path: 'alias', content: 'out\n' });
    expect(result).toMatchObject({ ok: true, wrote: ['in.txt'] });
    expect(sandbox.text('in.txt')).toBe('out\n');
  });

  it('are refused when they can be no path', async () => {
    const { run } = setup();
    expect((await run('read', { path: 'a\0b' })).text).toContain('NUL');
    expect((await run('read', { path: 'x'.repeat(5000) })).text).toContain('4095');
    expect((await run('read', { path: '~/x' })).text).toContain('~');
    expect((await run('read', { path: ' ' })).text).toContain('empty');
    expect((await run('read', { path: 'in.txt/x' })).text).toContain('not a directory');
  });

  it('are not believed when the guest claims a canonical path with dots', async () => {
    const { sandbox, run } = setup();
    const stat = sandbox.stat.bind(sandbox);
    sandbox.stat = async (path, options) => {
      const found = await stat(path, options);
      return path.endsWith('in.txt')
        ? { ...found, canonical: `${sandbox.workspace}/../../../etc/passwd` }
        : found;
    };
    expect((await run('read', { path: 'in.txt' })).ok).toBe(false);
  });

  it('are shown quoted when a name holds what a terminal obeys', async () => {
    const { sandbox, run } = setup();
    sandbox.file('e\x1b[2Jvil\nname', 'x');
    const { text } = await run('read', { path: '.' });
    expect(text).toContain('"e\\u{1b}[2Jvil\\nname"');
  });
});
