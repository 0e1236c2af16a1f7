import { describe, expect, it } from 'vitest';
import { SafeCoderError } from '../../../src/base/errors.ts';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import type { UnpackEntry } from '../../../src/guest/guest.ts';
import { restoreFiles } from '../../../src/sandbox/restore.ts';
import { FakeSandbox, guestFailed } from '../../support/fake-sandbox.ts';

const path = (name: string) => name as RelPath;
const read = async (oid: string) => Buffer.from(`bytes of ${oid}`);

/** A sandbox that takes entries, and closes a folder to its owner until somebody opens it. */
class ClosedSandbox extends FakeSandbox {
  readonly unpacked: string[] = [];
  shut = 'src';

  override async list(folder: string, max: number) {
    if (this.shut !== '' && folder.endsWith(`/${this.shut}`)) throw guestFailed('EACCES');
    return super.list(folder, max);
  }

  override async unpack(entries: Iterable<UnpackEntry> | AsyncIterable<UnpackEntry>): Promise<number> {
    for await (const entry of entries) {
      this.unpacked.push(`${entry.kind} ${entry.path} ${entry.mode.toString(8)}`);
      if (entry.kind === 'directory' && entry.path === this.shut) this.shut = '';
      if (entry.kind === 'file') this.file(entry.path, await read(entry.path));
    }
    return this.unpacked.length;
  }
}

describe('restoring files', () => {
  it('opens folders that a command has closed to their owner, and then does it', async () => {
    const sandbox = new ClosedSandbox({ 'src/a': 'a', 'src/b': 'b' });
    const node = sandbox.nodes.get(`${sandbox.workspace}/src`);
    if (node) node.mode = 0o500;
    await restoreFiles(sandbox, { remove: [path('src/a')], write: [] }, read);
    expect(sandbox.unpacked).toEqual(['directory src 700']);
    expect([sandbox.has('src/a'), sandbox.has('src/b')]).toEqual([false, true]);
  });

  it('asks nothing of the guest when nothing differs', async () => {
    const sandbox = new ClosedSandbox();
    sandbox.list = () => Promise.reject(new Error('was asked'));
    await restoreFiles(sandbox, { remove: [], write: [] }, read);
    expect(sandbox.unpacked).toEqual([]);
  });

  it('passes on what else goes wrong', async () => {
    const sandbox = new ClosedSandbox({ 'src/a': 'a' });
    sandbox.shut = '';
    sandbox.remove = () => Promise.reject(new SafeCoderError('guest/lost', 'gone'));
    await expect(restoreFiles(sandbox, { remove: [path('src/a')], write: [] }, read)).rejects.toMatchObject({
      code: 'guest/lost',
    });
  });

  it('replaces files of a fresh copy that stand in the way, and refuses to elsewhere', async () => {
    const sandbox = new ClosedSandbox({ 'dist/out.js': 'ignored' });
    sandbox.shut = '';
    const plan = {
      remove: [],
      write: [{ path: path('dist/out.js'), mode: '100644', oid: 'x', isNew: true }],
    } as const;
    await expect(restoreFiles(sandbox, plan, read)).rejects.toMatchObject({ code: 'session/in-the-way' });
    expect(sandbox.text('dist/out.js')).toBe('ignored');
    await restoreFiles(sandbox, { ...plan, isFresh: true }, read);
    expect(sandbox.unpacked).toEqual(['file dist/out.js 644']);
  });
});
