import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { StateStore } from '../../../src/apply/state-store.ts';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import type { FileState } from '../../../src/diff/change-set.ts';
import { GIT_ENVIRONMENT } from '../../../src/git/git-program.ts';
import { hashObject } from '../../../src/git/object-id.ts';
import { openLedger } from '../../../src/ledger/reader.ts';
import { createLedger } from '../../../src/ledger/writer.ts';
import { sizeOnDisk } from '../../../src/session/disk-use.ts';
import { type GcOptions, performGc, planGc } from '../../../src/session/gc.ts';
import { RunFolder } from '../../../src/session/run-folder.ts';
import { SessionStore } from '../../../src/session/store.ts';
import { temporaryFolder } from '../../support/temp.ts';
import { toolCall } from '../ledger/fixture.ts';

const never = new AbortController().signal;
const DAY = 86_400_000;

function makeState(): GcOptions & { store: SessionStore } {
  const folder = temporaryFolder();
  const state = join(folder, 'state') as HostPath;
  mkdirSync(state);
  return { state, cache: join(folder, 'cache') as HostPath, now: Date.now(), store: new SessionStore(state) };
}

/** A session with a ledger of `entries` entries about one growing file, `days` old. */
async function makeSession(
  options: ReturnType<typeof makeState>,
  { entries = 2, days = 0, project = '/p', end = true } = {},
) {
  const at = new Date(options.now - days * DAY);
  using folder = options.store.create({ project, face: 'run', title: `of ${days} days` }, at);
  await using ledger = await createLedger({
    dir: folder.ledger,
    objectFormat: 'sha1',
    session: folder.record.id,
    sync: false,
  });
  const text = (n: number) =>
    Array.from({ length: 400 }, (_, line) => `line ${line < n ? n : line}\n`).join('');
  const oid = ledger.blobSink().writeBlob(text(0).length, [Buffer.from(text(0))]);
  await ledger.commitInitial({
    title: 'Initial',
    at,
    turn: 0,
    skipped: [],
    ignored: 0,
    gitChanged: false,
    files: new Map([['a' as RelPath, { mode: '100644', oid }]]),
  });
  for (let n = 1; n < entries; n++) await ledger.append(toolCall(ledger, { a: text(n) }));
  if (end) folder.update({ endedAt: at.toISOString() });
  utimesSync(join(folder.folder, 'session.json'), at, at);
  return folder.record.id;
}

const kindsOf = (options: GcOptions) => planGc(options).map(({ kind }) => kind);
const idsOf = (options: GcOptions) =>
  planGc(options)
    .filter(({ kind }) => kind === 'session')
    .map(({ session }) => session?.record.id);

async function performAll(options: GcOptions): Promise<number> {
  let freed = 0;
  for (const item of planGc(options)) freed += await performGc(item, options, never);
  return freed;
}

describe('gc', () => {
  it('deletes no session unless it is told which', async () => {
    const options = makeState();
    await makeSession(options, { days: 1000 });
    expect(planGc(options)).toEqual([]);
  });

  it('deletes by age and by number, and what satisfies both when both are given', async () => {
    const options = makeState();
    const [old, older, other] = [
      await makeSession(options, { days: 10 }),
      await makeSession(options, { days: 40 }),
      await makeSession(options, { days: 50, project: '/q' }),
    ];
    expect(idsOf({ ...options, olderThanMs: 30 * DAY })).toEqual([older, other]);
    expect(idsOf({ ...options, keep: 1 })).toEqual([older]);
    expect(idsOf({ ...options, keep: 1, olderThanMs: 45 * DAY })).toEqual([]);
    expect(idsOf({ ...options, keep: 0 }).sort()).toEqual([old, older, other].sort());
    expect(await performAll({ ...options, olderThanMs: 30 * DAY })).toBeGreaterThan(0);
    expect(options.store.list().map(({ record }) => record.id)).toEqual([old]);
    expect(readdirSync(options.store.root)).toEqual([old]);
  });

  it('leaves running sessions alone, also those that began to run after it looked', async () => {
    const options = makeState();
    const id = await makeSession(options, { days: 40, entries: 20 });
    const plan = planGc({ ...options, keep: 0 });
    const session = options.store.list()[0];
    if (session === undefined) throw new Error('no session');
    using _running = options.store.reopen(session);
    expect(planGc({ ...options, keep: 0 })).toEqual([]);
    for (const item of plan)
      await expect(performGc(item, options, never)).rejects.toMatchObject({ code: 'session/busy' });
    expect(options.store.list()[0]?.record.id).toBe(id);
  });

  it('keeps a session whose apply was interrupted', async () => {
    const options = makeState();
    const id = await makeSession(options, { days: 40 });
    const applies = new StateStore(options.state);
    applies.writeJournal({
      state: 'working',
      stage: '.stage',
      record: {
        version: 1,
        id: '0123456789abcdef',
        kind: 'apply',
        session: id,
        at: new Date().toISOString(),
        root: { path: '/p', dev: '1', ino: '2' },
        steps: [],
        kept: [],
        createdFolders: [],
        removedFolders: [],
      },
    });
    expect(planGc({ ...options, keep: 0 })).toEqual([]);
    applies.removeJournal({ dev: '1', ino: '2' });
    expect(kindsOf({ ...options, keep: 0 })).toEqual(['session']);
  });

  it('packs ledgers anew: smaller, the same chain, and not again', async () => {
    const options = makeState();
    await makeSession(options, { entries: 40 });
    expect(kindsOf(options)).toEqual(['ledger']);
    const dir = join(options.store.list()[0]?.folder ?? '', 'ledger') as HostPath;
    const before = sizeOnDisk(dir);
    const verdict = await verify(dir);
    await performAll(options);
    expect(sizeOnDisk(dir)).toBeLessThan((before * 2) / 3);
    expect(await verify(dir)).toEqual(verdict);
    expect(verdict).toMatchObject({ ok: true, entries: 40 });
    expect(planGc(options)).toEqual([]);
  });

  it('makes the ledger of a killed session stand alone, from git or from the files', async () => {
    const options = makeState();
    const project = join(temporaryFolder(), 'project');
    mkdirSync(project);
    const texts = { a: 'one\n', b: 'two\n' };
    const files = new Map<RelPath, FileState>();
    for (const [path, text] of Object.entries(texts)) {
      writeFileSync(join(project, path), text);
      files.set(path as RelPath, { mode: '100644', oid: hashObject('sha1', 'blob', Buffer.from(text)) });
    }
    execFileSync('git', ['init', '-q'], { cwd: project, env: { ...GIT_ENVIRONMENT } });
    execFileSync('git', ['add', '.'], { cwd: project, env: { ...GIT_ENVIRONMENT } });
    let dir = '' as HostPath;
    {
      using folder = options.store.create({ project, face: 'run', title: 'killed' }, new Date());
      dir = folder.ledger;
      await using ledger = await createLedger({
        dir,
        objectFormat: 'sha1',
        session: folder.record.id,
        sync: false,
      });
      const objectsDir = join(project, '.git/objects') as HostPath;
      const oids = new Set([...files.values()].map(({ oid }) => oid));
      expect(await ledger.borrowObjects({ objectsDir, oids })).toEqual(oids);
      const facts = { title: 'Initial', at: new Date(), turn: 0, skipped: [], ignored: 0, gitChanged: false };
      await ledger.commitInitial({ ...facts, files });
    }
    rmSync(join(project, '.git'), { recursive: true });
    expect((await verify(dir)).ok).toBe(false);
    expect(kindsOf(options)).toEqual(['ledger']);
    await performAll(options);
    rmSync(project, { recursive: true });
    expect(await verify(dir)).toMatchObject({ ok: true, entries: 1 });
    expect(planGc(options)).toEqual([]);
  });

  it('removes what killed processes left and caches that nobody used for two weeks', async () => {
    const options = makeState();
    using mine = RunFolder.create(options.state);
    const dead = join(options.state, 'run/dead');
    const gone = join(options.store.root, 'gone-0123456789ab');
    const [unused, used] = ['states/unused', 'states/used'].map((name) => join(options.cache, name)) as [
      string,
      string,
    ];
    for (const path of [dead, gone, unused, used]) {
      mkdirSync(path, { recursive: true });
      writeFileSync(join(path, 'file'), 'x'.repeat(5000));
    }
    const past = new Date(options.now - 20 * DAY);
    for (const path of [dead, unused]) utimesSync(path, past, past);
    utimesSync(join(options.state, 'run', mine.id), past, past);
    expect(kindsOf(options).sort()).toEqual(['cache', 'leftover', 'run']);
    const plan = planGc(options);
    const asked = plan.find(({ kind }) => kind === 'cache');
    // Somebody asks for it between the look and the deed.
    utimesSync(unused, new Date(), new Date());
    expect(asked && (await performGc(asked, options, never))).toBe(0);
    utimesSync(unused, past, past);
    expect(await performAll(options)).toBeGreaterThan(12_000);
    expect([dead, gone, unused].filter((path) => existsSync(path))).toEqual([]);
    expect(existsSync(used) && existsSync(mine.path)).toBe(true);
  });

  it('forgets what undo needs only when told, and nothing else then', async () => {
    const options = makeState();
    const id = await makeSession(options, { days: 40 });
    const kept = join(options.store.root, id, 'apply/kept');
    mkdirSync(kept, { recursive: true });
    writeFileSync(join(kept, 'one'), 'x'.repeat(5000));
    expect(kindsOf({ ...options, keep: 0 })).toEqual(['session']);
    expect(kindsOf({ ...options, keep: 0, onlyUndo: true })).toEqual(['undo']);
    await performAll({ ...options, keep: 0, onlyUndo: true });
    expect(existsSync(kept)).toBe(false);
    expect(options.store.list()).toHaveLength(1);
  });
});

async function verify(dir: HostPath) {
  await using ledger = await openLedger(dir);
  return await ledger.verify();
}
