import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { RunFolder, sweepRunFolders } from '../../../src/session/run-folder.ts';
import { SessionStore } from '../../../src/session/store.ts';
import { temporaryFolder } from '../../support/temp.ts';

function makeStore() {
  const state = temporaryFolder();
  return { state, store: new SessionStore(state) };
}

const init = (project: string) => ({ project, face: 'run', title: 'a task' });

describe('the session store', () => {
  it('lists newest first, by project, and finds by the beginning of an id', () => {
    const { store } = makeStore();
    using first = store.create(init('/a'), new Date(1000));
    using second = store.create(init('/a'), new Date(2000));
    using other = store.create(init('/b'), new Date(3000));
    expect(store.list('/a').map((session) => session.record.id)).toEqual([second.record.id, first.record.id]);
    expect(store.list()).toHaveLength(3);
    expect(store.find(undefined, '/b').record.id).toBe(other.record.id);
    expect(store.find(first.record.id.slice(0, 10), '/b').record.id).toBe(first.record.id);
    expect(() => store.find('zz', '/a')).toThrowError(expect.objectContaining({ code: 'session/not-found' }));
    expect(() => store.find(undefined, '/none')).toThrowError(
      expect.objectContaining({ code: 'session/not-found' }),
    );
  });

  it('takes no record whose parts are not what they have to be', () => {
    const { store } = makeStore();
    using session = store.create({ ...init('/a'), base: 'a'.repeat(40) }, new Date());
    const file = join(session.folder, 'session.json');
    const whole = JSON.parse(readFileSync(file, 'utf8'));
    for (const change of [
      { project: 5 },
      { project: 'a' },
      { title: null },
      { base: 'x' },
      { landed: 'x' },
    ]) {
      writeFileSync(file, JSON.stringify({ ...whole, ...change }));
      const damaged: string[] = [];
      expect(store.list(undefined, (id) => damaged.push(id))).toEqual([]);
      expect(damaged).toEqual([session.record.id]);
    }
    writeFileSync(file, JSON.stringify({ ...whole, later: 'versions may add' }));
    expect(store.list()).toHaveLength(1);
  });

  it.skipIf(process.geteuid?.() !== 0)('loses no record when the disk is full (needs root)', () => {
    const state = temporaryFolder();
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', state]).status).toBe(0);
    onTestFinished(() => void spawnSync('umount', ['-l', state]));
    const store = new SessionStore(state);
    using session = store.create(init('/a'), new Date());
    const many = (count: number) => ({
      count,
      examples: Array.from({ length: count }, (_, at) => `file-${at}`),
    });
    session.update({ ignored: many(800) });
    const fill = (name: string) => writeFileSync(join(state, name), Buffer.alloc(4096));
    expect(() => Array.from({ length: 20 }, (_, at) => fill(`ballast-${at}`))).toThrow('ENOSPC');
    // A page is left: it takes the beginning of the record, and no more.
    rmSync(join(state, 'ballast-0'));
    expect(() => session.update({ ignored: many(1200) })).toThrow('ENOSPC');
    expect(store.list().map(({ record }) => record.ignored?.count)).toEqual([800]);
  });

  it.each(['conversation.jsonl', 'events.jsonl'])('calls a session damaged where %s is no file', (name) => {
    const { store } = makeStore();
    using session = store.create(init('/a'), new Date());
    mkdirSync(join(session.folder, name));
    const damaged = expect.objectContaining({ code: 'session/damaged' });
    expect(() => {
      if (name === 'events.jsonl') session.appendEvent({ type: 'turn.start', turn: 1, at: '', session: '' });
      else session.readConversation();
    }).toThrow(damaged);
  });

  it('keeps everything private', () => {
    const { store } = makeStore();
    using session = store.create(init('/a'), new Date());
    session.appendConversation({ role: 'user', parts: [{ type: 'text', text: 'hello' }] });
    expect(statSync(session.folder).mode & 0o777).toBe(0o700);
    for (const name of ['session.json', 'conversation.jsonl']) {
      expect(statSync(join(session.folder, name)).mode & 0o777).toBe(0o600);
    }
    expect(readFileSync(join(session.folder, 'conversation.jsonl'), 'utf8')).toContain('hello');
  });

  it('refuses to remove a session that runs, and removes one that ended', () => {
    const { store } = makeStore();
    const session = store.create(init('/a'), new Date());
    expect(() => store.remove(store.find(session.record.id, '/a'))).toThrowError(
      expect.objectContaining({ code: 'session/busy' }),
    );
    session[Symbol.dispose]();
    store.remove(store.find(session.record.id, '/a'));
    expect(store.list()).toEqual([]);
  });

  it('names a damaged record and goes on', () => {
    const { state, store } = makeStore();
    using good = store.create(init('/a'), new Date());
    mkdirSync(join(state, 'sessions', 'aaaaaaaaaaaa'));
    writeFileSync(join(state, 'sessions', 'aaaaaaaaaaaa', 'session.json'), '{"vers');
    const damaged: string[] = [];
    expect(store.list(undefined, (id) => damaged.push(id)).map((session) => session.record.id)).toEqual([
      good.record.id,
    ]);
    expect(damaged).toEqual(['aaaaaaaaaaaa']);
  });
});

describe('run folders', () => {
  it('are not disturbed by a sweep in another process, nor is the sweep by them', async () => {
    const state = temporaryFolder();
    const script = `
      const { RunFolder } = await import(${JSON.stringify(new URL('../../../src/session/run-folder.ts', import.meta.url).href)});
      for (const end = Date.now() + 1500; Date.now() < end; ) RunFolder.create(${JSON.stringify(state)})[Symbol.dispose]();
      console.log('whole');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let out = '';
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk;
    });
    let isOver = false;
    const over = once(child, 'close').then(() => {
      isOver = true;
    });
    while (!isOver) {
      for (let n = 0; n < 50; n++) sweepRunFolders(state, Date.now());
      await new Promise((resolve) => setImmediate(resolve));
    }
    await over;
    expect(out).toBe('whole\n');
  });

  it('of processes that are gone are removed, those of living ones stay', () => {
    const state = temporaryFolder();
    using mine = RunFolder.create(state);
    const dead = join(state, 'run', 'dead');
    mkdirSync(dead);
    writeFileSync(join(dead, `owner.${process.pid}.1.00000000`), '');
    writeFileSync(join(state, 'run', 'a-file-of-somebody'), '');
    mkdirSync(join(state, 'run', 'just-being-made'));
    expect(sweepRunFolders(state, Date.now())).toBe(1);
    expect(statSync(mine.path).isDirectory()).toBe(true);
    expect(sweepRunFolders(state, Date.now() + 120_000)).toBe(1);
    expect(sweepRunFolders(join(state, 'nowhere') as HostPath, 0)).toBe(0);
  });
});
