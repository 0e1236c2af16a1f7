import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { GIT_ENVIRONMENT } from '../../../src/git/git-program.ts';
import { writeBundle } from '../../../src/ledger/export-bundle.ts';
import { temporaryFolder } from '../../support/temp.ts';
import { commitInitial, makeLedger, toolCall } from './fixture.ts';

const options = { env: { ...GIT_ENVIRONMENT, GIT_ALLOW_PROTOCOL: 'file' }, encoding: 'utf8' } as const;

describe('a bundle', () => {
  it.each(['sha1', 'sha256'] as const)(
    'is taken by git clone and fsck, with every entry and name (%s)',
    async (format) => {
      const ledger = await makeLedger(format);
      await commitInitial(ledger, { 'a.txt': 'a\n', '.gitattributes': '* filter=x\n' });
      await ledger.append(toolCall(ledger, { 'sub/.git/config': 'x\n', '%41': 'y', 'a.txt': 'A\n' }));
      await ledger.append(
        toolCall(ledger, {}, { kind: 'snapshot', label: 'before the big: change', title: 'Snapshot' }),
      );
      const skipped = Array.from({ length: 2000 }, (_, at) => ({ path: `skipped/${at}`, reason: 'fifo' }));
      await ledger.append(toolCall(ledger, { late: 'z' }, { skipped }));
      const folder = temporaryFolder();
      const file = join(folder, 'x.bundle') as HostPath;
      const entries = await ledger.entries();
      await writeBundle({ ledgerDir: ledger.dir, objectFormat: format, entries, file });
      expect(readdirSync(folder)).toEqual(['x.bundle']);
      execFileSync('git', ['clone', '-q', file, join(folder, 'clone')], { ...options, stdio: 'pipe' });
      const git = (...args: string[]) =>
        execFileSync('git', ['-C', join(folder, 'clone'), ...args], { ...options, stdio: 'pipe' });
      expect(git('fsck', '--strict', '--full')).toBe('');
      expect(git('rev-list', '--reverse', 'HEAD').trim().split('\n')).toEqual(entries.map(({ id }) => id));
      expect(git('symbolic-ref', '--short', 'HEAD').trim()).toBe('ledger');
      expect(git('rev-parse', 'snapshot-before-the-big-change').trim()).toBe(entries[2]?.id);
      expect(readFileSync(join(folder, 'clone/a.txt'), 'utf8')).toBe('A\n');
      // Names that git would act on stay coded: nothing of the session steers the clone.
      expect(existsSync(join(folder, 'clone/.gitattributes'))).toBe(false);
      expect(readFileSync(join(folder, 'clone/%2Egitattributes'), 'utf8')).toBe('* filter=x\n');
      expect(readFileSync(join(folder, 'clone/sub/%2Egit/config'), 'utf8')).toBe('x\n');
    },
  );

  it('stands alone while the ledger borrows from the project', async () => {
    const project = temporaryFolder();
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', project, ...args], { ...options, stdio: 'pipe', input: 'lent\n' });
    git('init', '-q');
    const oid = git('hash-object', '-w', '--stdin').trim();
    const ledger = await makeLedger();
    const objectsDir = join(project, '.git/objects') as HostPath;
    expect([...(await ledger.borrowObjects({ objectsDir, oids: new Set([oid]) }))]).toEqual([oid]);
    const states = new Map([['lent.txt' as never, { mode: '100644' as const, oid }]]);
    await ledger.commitInitial({
      title: 'Initial',
      at: new Date(0),
      turn: 0,
      skipped: [],
      ignored: 0,
      gitChanged: false,
      files: states,
    });
    const file = join(temporaryFolder(), 'x.bundle') as HostPath;
    await writeBundle({ ledgerDir: ledger.dir, objectFormat: 'sha1', entries: await ledger.entries(), file });
    execFileSync('rm', ['-rf', join(project, '.git')]);
    const clone = join(temporaryFolder(), 'clone');
    execFileSync('git', ['clone', '-q', file, clone], { ...options, stdio: 'pipe' });
    expect(readFileSync(join(clone, 'lent.txt'), 'utf8')).toBe('lent\n');
  });

  it('leaves no file behind when it fails', async () => {
    const ledger = await makeLedger();
    await commitInitial(ledger, { a: 'a' });
    const folder = temporaryFolder();
    const entries = (await ledger.entries()).map((entry) => ({ ...entry, id: 'f'.repeat(40) }));
    const file = join(folder, 'x.bundle') as HostPath;
    await expect(
      writeBundle({ ledgerDir: ledger.dir, objectFormat: 'sha1', entries, file }),
    ).rejects.toMatchObject({ code: 'ledger/damaged' });
    expect(readdirSync(folder)).toEqual([]);
  });
});
