import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { CatFile } from '../../../src/git/cat-file.ts';
import { GIT_ENVIRONMENT, gitArguments } from '../../../src/git/git-program.ts';
import { hashObject } from '../../../src/git/object-id.ts';
import { temporaryFolder } from '../../support/temp.ts';

const CONTENTS = ['', 'one', 'line\nline\n', '\0\xff\n', 'x'.repeat(300_000)];

function makeRepository(): { gitDir: HostPath; oids: string[] } {
  const gitDir = join(temporaryFolder(), 'r') as HostPath;
  const env = { ...GIT_ENVIRONMENT };
  execFileSync('git', ['init', '-q', '--bare', gitDir], { env });
  const oids = CONTENTS.map((text) =>
    execFileSync('git', gitArguments(gitDir, ['hash-object', '-w', '--stdin']), {
      env,
      input: Buffer.from(text, 'latin1'),
    })
      .toString()
      .trim(),
  );
  return { gitDir, oids };
}

const open = (gitDir: HostPath, more: { maxBytes?: number } = {}) =>
  new CatFile({ gitDir, maxBytes: more.maxBytes ?? 1 << 20, timeoutMs: 20_000 });

/** Ids of our children that run git on this repository. */
function gitChildren(gitDir: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(gitDir);
    } catch {
      // Gone meanwhile.
      return false;
    }
  });
}

describe('reading objects through git', () => {
  it('gives each its own bytes, however many are asked for at once', async () => {
    const { gitDir, oids } = makeRepository();
    await using reader = open(gitDir);
    const asked = [...oids, ...oids.toReversed(), 'ab'.repeat(20), ...oids];
    const objects = await Promise.all(asked.map((oid) => reader.read(oid)));
    for (const [at, oid] of asked.entries()) {
      const object = objects[at];
      if (oid === 'ab'.repeat(20)) expect(object).toBeUndefined();
      else expect(object && hashObject('sha1', 'blob', object.bytes)).toBe(oid);
    }
    expect(gitChildren(gitDir).length).toBe(1);
  });

  it('goes on with a new child after the old one was killed', async () => {
    const { gitDir, oids } = makeRepository();
    await using reader = open(gitDir);
    await reader.read(oids[1] ?? '');
    const [pid = 0] = gitChildren(gitDir);
    process.kill(pid, 'SIGKILL');
    // Either the request meets the dead child and says so, or it already gets the new one.
    await reader
      .read(oids[1] ?? '')
      .catch((error: unknown) => expect(error).toMatchObject({ code: 'ledger/damaged' }));
    expect((await reader.read(oids[2] ?? ''))?.bytes.toString()).toBe(CONTENTS[2]);
    expect(gitChildren(gitDir)).not.toContain(pid);
  });

  it('refuses an object over the limit and goes on', async () => {
    const { gitDir, oids } = makeRepository();
    await using reader = open(gitDir, { maxBytes: 1000 });
    await expect(reader.read(oids[4] ?? '')).rejects.toMatchObject({ code: 'ledger/damaged' });
    expect((await reader.read(oids[1] ?? ''))?.bytes.toString()).toBe('one');
  });

  it('takes nothing but a full id', async () => {
    const { gitDir } = makeRepository();
    await using reader = open(gitDir);
    for (const name of ['HEAD', 'abcd', `${'ab'.repeat(20)}\nHEAD`, '', '--help']) {
      await expect(reader.read(name)).rejects.toMatchObject({ code: 'bug' });
    }
  });

  it('leaves no process behind when it ends, also in the middle of a request', async () => {
    const { gitDir, oids } = makeRepository();
    const reader = open(gitDir);
    await reader.read(oids[1] ?? '');
    const waiting = reader.read(oids[4] ?? '').catch((error: unknown) => error);
    await reader[Symbol.asyncDispose]();
    await reader[Symbol.asyncDispose]();
    expect(await waiting).toMatchObject({ code: 'cancelled' });
    expect(gitChildren(gitDir)).toEqual([]);
    await expect(reader.read(oids[1] ?? '')).rejects.toMatchObject({ code: 'bug' });
  });
});
