import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';

const DAY_S = 86_400;

function begin(settings?: object) {
  const home = temporaryFolder();
  const project = makeProject(home, { 'a.txt': 'one\n' });
  const sessions = join(home, 'sc/state/sessions');
  if (settings) {
    mkdirSync(join(home, 'sc/config'), { recursive: true, mode: 0o700 });
    writeFileSync(join(home, 'sc/config/config.jsonc'), JSON.stringify(settings));
    for (const path of ['sc', 'sc/config']) execFileSync('chmod', ['700', join(home, path)]);
  }
  const run = (...args: string[]) => runCli(args, { home, cwd: project });
  const work = async (command: string) => {
    const { code, stderr } = await run('exec', '--demo', '--', 'sh', '-c', command);
    expect([code, code === 0 ? '' : stderr]).toEqual([0, '']);
  };
  const age = (id: string, days: number) => {
    const then = Date.now() / 1000 - days * DAY_S;
    const file = join(sessions, id, 'session.json');
    const record = { ...JSON.parse(execFileSync('cat', [file], { encoding: 'utf8' })) };
    record.endedAt = new Date(then * 1000).toISOString();
    writeFileSync(file, JSON.stringify(record));
    utimesSync(file, then, then);
  };
  return { home, project, sessions, run, work, age };
}

describe('signed sessions', () => {
  it('are checked by log --verify, also after an apply, and a changed signature is found', async () => {
    const key = join(temporaryFolder(), 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    const { run, work, sessions } = begin({ ledger: { signWith: key } });
    await work('echo two >> a.txt');
    expect((await run('apply', '--yes')).code).toBe(0);
    expect((await run('snapshot', 'after the apply')).code).toBe(0);
    const sound = await run('log', '--verify');
    expect([sound.code, sound.stderr]).toEqual([0, '']);
    expect(sound.stdout).toMatch(/Signed up to #4 with the key SHA256:/);

    const [id = ''] = readdirSync(sessions);
    rmSync(join(sessions, id, 'ledger/signatures/4'));
    const missing = await run('log', '--verify');
    expect([missing.code, missing.stderr]).toEqual([4, expect.stringContaining('Entry #4 has no signature')]);
    appendFileSync(join(sessions, id, 'ledger/signatures/3'), 'x');
    const verdict = jsonLines((await run('log', '--verify', '--json')).stdout).find(
      ({ type }) => type === 'verify',
    );
    expect(verdict).toMatchObject({ ok: false, signatures: { state: 'bad' } });
  });

  it('do not begin with a key that can not sign, and a project can not name one', async () => {
    const bad = begin({ ledger: { signWith: '/nowhere/key' } });
    const refused = await bad.run('exec', '--demo', '--', 'true');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("can't be signed")]);
    expect(existsSync(bad.sessions) ? readdirSync(bad.sessions) : []).toEqual([]);

    const { run, project } = begin();
    writeFileSync(join(project, '.safe-coder.jsonc'), '{"ledger": {"signWith": "agent"}}');
    const result = await run('exec', '--demo', '--', 'true');
    expect([result.code, result.stderr]).toEqual([
      3,
      expect.stringContaining('a project can\'t set "ledger"'),
    ]);
  });

  it('are set up by keys whose misspelling is told', async () => {
    const { run } = begin({ ledger: { maxsize: '1G' } });
    const result = await run('sessions');
    expect([result.code, result.stderr]).toEqual([3, expect.stringContaining('"maxSize"')]);
  });
});

describe('the disk', () => {
  it('is given back by gc: named first, nothing without yes, sessions only by age', async () => {
    const { run, work, sessions, age } = begin();
    await work('echo two >> a.txt');
    const [old = ''] = readdirSync(sessions);
    await work('echo three >> a.txt');
    age(old, 40);
    expect((await run('gc')).stderr).toContain('nothing to give back');
    const listed = await run('gc', '--older-than', '30d', '--dry-run', '--json');
    expect(jsonLines(listed.stdout)).toMatchObject([{ type: 'gc.item', kind: 'session', session: old }]);
    const unasked = await run('gc', '--older-than', '30d');
    expect([unasked.code, unasked.stdout]).toEqual([2, expect.stringContaining(old.slice(0, 8))]);
    expect(readdirSync(sessions)).toHaveLength(2);

    const done = jsonLines((await run('gc', '--older-than', '30d', '--yes', '--json')).stdout);
    expect(done.map(({ type }) => type)).toEqual(['gc.item', 'gc.done', 'gc.end']);
    expect(done.at(-1)?.freedBytes).toBeGreaterThan(0);
    expect(readdirSync(sessions)).not.toContain(old);
    expect((await run('gc', '--older-than', 'soon')).code).toBe(2);
    expect((await run('gc', '--undo')).code).toBe(2);
  });

  it('is listed by session with state, entries and size, found by text', async () => {
    const { run, work } = begin();
    await work('echo two >> a.txt');
    await work('true');
    const rows = jsonLines((await run('sessions', '--json')).stdout);
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({ state: 'ended', entries: 2, applied: 0, bytes: expect.any(Number) });
    expect((await run('sessions')).stdout).toMatch(/ended +2 entries +\d+ KB/);
    expect(jsonLines((await run('sessions', 'TWO', '--json')).stdout)).toHaveLength(1);
    expect((await run('sessions', 'nothing like it')).stderr).toContain('no sessions');
  });

  it('is told by doctor: sessions, cache, and the commands that free it', async () => {
    const { run, work } = begin();
    await work('true');
    const checks = jsonLines((await run('doctor', '--json')).stdout);
    const of = (name: string) => checks.find((check) => check.name === name);
    expect(of('sessions')).toMatchObject({ mend: expect.stringContaining('safe-coder gc --older-than 30d') });
    expect(of('sessions')?.detail).toMatch(/^1 take \d+ KB; the largest: [0-9a-f]{12} \d+ KB$/);
    expect(of('cache')).toBeDefined();
  });

  it('is freed by rm of several sessions, by id or by age', async () => {
    const { run, work, sessions, age } = begin();
    for (let n = 0; n < 4; n++) await work('true');
    const [one = '', two = '', three = '', four = ''] = readdirSync(sessions);
    expect((await run('rm')).code).toBe(2);
    expect((await run('rm', one, '--all')).code).toBe(2);
    expect((await run('rm', one, two, '--yes')).code).toBe(0);
    age(three, 3);
    expect((await run('rm', '--older-than', '2d', '--yes')).code).toBe(0);
    expect(readdirSync(sessions)).toEqual([four]);
    expect((await run('rm', '--all', '--yes')).code).toBe(0);
    expect(readdirSync(sessions)).toEqual([]);
  });
});
