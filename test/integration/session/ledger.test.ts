import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { createDemoBackend } from '../../../src/backends/demo/demo-backend.ts';
import type { SafeCoderEvent } from '../../../src/base/events.ts';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { defaults, type Settings } from '../../../src/config/schema.ts';
import { GIT_ENVIRONMENT } from '../../../src/git/git-program.ts';
import { openLedger } from '../../../src/ledger/reader.ts';
import { Session } from '../../../src/session/session.ts';
import { SessionStore } from '../../../src/session/store.ts';
import { temporaryFolder } from '../../support/temp.ts';

const agentBinary = fileURLToPath(
  new URL('../../../guest/build/safe-coder-guest', import.meta.url),
) as HostPath;
const never = new AbortController().signal;

function git(project: string, ...args: string[]): void {
  const who = ['-c', 'user.name=n', '-c', 'user.email=e@e'];
  execFileSync('git', [...who, ...args], { cwd: project, env: { ...GIT_ENVIRONMENT }, stdio: 'ignore' });
}

async function begin(ledger: Partial<Settings['ledger']> = {}) {
  const folder = temporaryFolder();
  const project = join(folder, 'project') as HostPath;
  for (const [path, text] of [
    ['a.txt', 'one\n'],
    ['src/b.txt', 'two\n'],
  ] as const) {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), text);
  }
  git(project, 'init', '-q');
  git(project, 'add', '.');
  git(project, 'commit', '-q', '-m', 'all');
  const events: SafeCoderEvent[] = [];
  const [state, cache, config] = ['state', 'cache', 'config'].map((name) => {
    const path = join(folder, name) as HostPath;
    mkdirSync(path, { mode: 0o700 });
    return path;
  }) as [HostPath, HostPath, HostPath];
  const session = await Session.start({
    face: 'exec',
    title: 'a test',
    project,
    home: folder,
    directories: { state, cache, config },
    settings: { ...defaults, isolation: 'demo', backend: 'demo', ledger: { ...defaults.ledger, ...ledger } },
    backend: createDemoBackend({ agentBinary, path: '/usr/bin:/bin' }),
    onEvent: (event) => void events.push(event),
    signal: never,
  });
  return { session, project, state, events, folder };
}

const run = (session: Session, command: string) =>
  session.exec('exec', { argv: ['/bin/sh', '-c', command], isTold: false }, never);

async function verdictOf(state: HostPath, id: string) {
  const stored = new SessionStore(state).list().find(({ record }) => record.id === id);
  await using ledger = await openLedger(join(stored?.folder ?? '', 'ledger') as HostPath);
  const head = stored?.record.head;
  return await ledger.verify({ isOver: true, ...(head === undefined ? {} : { recordedHead: head }) });
}

it.each<[string, (project: string) => void]>([
  [
    'repacked and collected',
    (project) => {
      git(project, 'rm', '-q', '-r', '.');
      git(project, 'commit', '-q', '-m', 'none');
      git(project, 'reflog', 'expire', '--expire=now', '--all');
      git(project, 'gc', '-q', '--prune=now');
    },
  ],
  ['deleted', (project) => rmSync(join(project, '.git'), { recursive: true })],
])('a ledger stands alone when the project is %s after the session', async (_, harm) => {
  const { session, project, state, events } = await begin();
  await run(session, 'echo three > c.txt');
  await session.end();
  harm(project);
  expect(await verdictOf(state, session.id)).toMatchObject({ ok: true, entries: 2 });
  expect(events.filter(({ type }) => type === 'warning')).toEqual([]);
});

it('a ledger stands alone when the project lost its git while the session ran', async () => {
  const { session, project, state, events } = await begin();
  rmSync(join(project, '.git'), { recursive: true });
  await run(session, 'echo three >> a.txt');
  await session.end();
  expect(await verdictOf(state, session.id)).toMatchObject({ ok: true, entries: 2 });
  expect(events.filter(({ type }) => type === 'warning')).toEqual([]);
});

it('a file larger than the settings allow is named and not recorded', async () => {
  const { session, events } = await begin({ maxFileSize: 1000 });
  await run(session, 'head -c 2000 /dev/zero > big; echo small > small');
  await session.end();
  const end = events.find((event) => event.type === 'session.end');
  expect(end).toMatchObject({ skipped: [{ path: 'big', reason: 'too-large' }] });
  expect(end?.type === 'session.end' && end.changes.map(({ path }) => path)).toEqual(['small']);
});

it('a full ledger still gets every entry, without the contents that no longer fit, and says which', async () => {
  const { session, state, events } = await begin({ maxSize: 100_000 });
  await run(session, 'head -c 60000 /dev/urandom > first');
  await run(session, 'head -c 60000 /dev/urandom > second; cp first same');
  await run(session, 'rm first');
  await session.end();
  const end = events.find((event) => event.type === 'session.end');
  expect(end).toMatchObject({ skipped: [{ path: 'second', reason: 'budget' }], ledger: { entries: 4 } });
  // What the ledger has already costs nothing, under whatever name.
  expect(end?.type === 'session.end' && end.changes.map(({ path }) => path)).toEqual(['same']);
  expect(await verdictOf(state, session.id)).toMatchObject({ ok: true, entries: 4 });
});

it('a session is signed at its end with the key of the settings', async () => {
  const key = join(temporaryFolder(), 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const { session, state } = await begin({ signWith: key });
  await run(session, 'echo three > c.txt');
  await session.end();
  expect((await verdictOf(state, session.id)).signatures).toMatchObject({ state: 'valid', upTo: 2 });
});

it('a session does not begin with a key that can not sign', async () => {
  await expect(begin({ signWith: '/nowhere/key' })).rejects.toMatchObject({ code: 'config/invalid' });
});
