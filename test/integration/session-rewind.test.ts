/** Sessions that go back and go on, in one process: what the model is told, and what a crash in between leaves. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findFaults } from '../../src/agent/conversation.ts';
import { createDemoBackend } from '../../src/backends/demo/demo-backend.ts';
import type { SafeCoderEvent } from '../../src/base/events.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { defaults } from '../../src/config/schema.ts';
import { openLedgerWriter } from '../../src/ledger/writer.ts';
import type { ConversationMessage, Model, ModelPart } from '../../src/providers/model.ts';
import { HunkSource } from '../../src/review/hunk-source.ts';
import { unchangedFacts } from '../../src/session/rewind.ts';
import { Session } from '../../src/session/session.ts';
import { SessionStore } from '../../src/session/store.ts';
import { temporaryFolder } from '../support/temp.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;
const NEVER = new AbortController().signal;

/** A model that makes one bash call for each command it is given, and keeps what it was asked. */
function scripted(commands: string[]): Model & { requests: ConversationMessage[][] } {
  let calls = 0;
  const requests: ConversationMessage[][] = [];
  return {
    id: 'test/scripted',
    requests,
    async *stream({ messages }): AsyncGenerator<ModelPart> {
      requests.push(structuredClone(messages));
      expect(findFaults(messages)).toEqual([]);
      const command = messages.at(-1)?.role === 'user' ? commands.shift() : undefined;
      if (command !== undefined) {
        yield { type: 'tool-call', call: `call-${calls++}`, tool: 'bash', input: { command } };
        yield { type: 'stop', reason: 'tool-calls' };
      } else {
        yield { type: 'text', text: 'Done.' };
        yield { type: 'stop', reason: 'end' };
      }
    },
  };
}

function setUp(files: Record<string, string>) {
  const home = temporaryFolder();
  const project = join(home, 'project') as HostPath;
  mkdirSync(project);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(project, name), text);
  const folder = (name: string) => {
    mkdirSync(join(home, name), { mode: 0o700 });
    return join(home, name) as HostPath;
  };
  const directories = { state: folder('state'), config: folder('config'), cache: folder('cache') };
  const events: SafeCoderEvent[] = [];
  const options = (model: Model) => ({
    home: '/nonexistent' as HostPath,
    directories,
    settings: { ...defaults, cpus: 1, memory: 512 << 20, disk: 2 ** 30 },
    backend: createDemoBackend({ agentBinary: AGENT, path: '/usr/local/bin:/usr/bin:/bin' }),
    model,
    onEvent: (event: SafeCoderEvent) => void events.push(event),
    signal: NEVER,
  });
  const start = async (model: Model) => {
    const session = await Session.start({ ...options(model), face: 'chat', title: 'x', project });
    onTestFinished(() => session.end());
    return session;
  };
  const store = new SessionStore(directories.state);
  const resume = async (model: Model) => {
    const session = await Session.resume(options(model), store.find(undefined, project));
    onTestFinished(() => session.end());
    return session;
  };
  return { project, events, start, resume, store };
}

const turn = (session: Session, text: string) => session.prompt(text, { signal: NEVER, isInteractive: true });
const lastUser = (messages: ConversationMessage[] | undefined) => {
  const message = messages?.findLast(({ role }) => role === 'user');
  return message?.role === 'user'
    ? message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('\n')
    : '';
};

const LINES = Array.from({ length: 40 }, (_, at) => `line ${at}\n`);

describe('after a review the session goes on', () => {
  it('with the accepted state in the sandbox, and the agent told what was rejected and why', async () => {
    const stage = setUp({ 'part.txt': LINES.join(''), 'bad.txt': 'before\n' });
    const model = scripted([
      "sed -i '2s/.*/first/; 35s/.*/second/' part.txt; echo worse > bad.txt; echo good > good.txt; echo later > open.txt",
      'cat part.txt bad.txt good.txt open.txt',
    ]);
    const session = await stage.start(model);
    await turn(session, 'do it');
    const items = await session.changes();
    const part = items.find(({ change }) => change.path === 'part.txt');
    if (part === undefined) throw new Error('part.txt did not change');
    const hunks = await new HunkSource((oid) => session.ledger.readBlob(oid)).hunksOf(part);
    const [first, second] = hunks.kind === 'text' ? hunks.hunks : [];
    if (first === undefined || second === undefined) throw new Error('two hunks were expected');
    const decisions = [
      { path: 'good.txt', decision: 'accept' },
      { path: 'bad.txt', decision: 'reject', comment: 'Leave this file alone.' },
      {
        path: 'part.txt',
        decision: 'partial',
        hunks: [
          { hunk: first.id, decision: 'accept' },
          { hunk: second.id, decision: 'reject', comment: 'Not here.' },
        ],
      },
    ] as const;
    const copy = structuredClone(decisions) as unknown as Parameters<Session['apply']>[1];
    await session.apply(items, copy, NEVER);
    expect(readFileSync(join(stage.project, 'good.txt'), 'utf8')).toBe('good\n');
    expect(readFileSync(join(stage.project, 'bad.txt'), 'utf8')).toBe('before\n');
    const recorded = await session.acceptReview(items, copy);
    expect(recorded?.entry.trailers).toMatchObject({ kind: 'applied', ok: true });
    // What was applied and what was rejected is no change any more; what nobody decided still is one.
    expect((await session.changes()).map(({ change }) => change.path)).toEqual(['open.txt']);
    await turn(session, 'go on');
    const told = lastUser(model.requests.at(-1));
    for (const words of ['bad.txt: rejected', 'Leave this file alone.', '+second', 'Not here.', 'go on']) {
      expect(told).toContain(words);
    }
    const answer = model.requests.at(-1)?.at(-1);
    const text = answer?.role === 'tool' ? answer.results[0]?.text : '';
    expect(text).toContain('first\nline 2');
    expect(text).not.toContain('second');
    expect(text).toMatch(/before\ngood\nlater/);
    await turn(session, 'and now');
    expect(lastUser(model.requests.at(-1))).toBe('and now');
  }, 30_000);
});

describe('a session that goes on', () => {
  it('counts turns and usage on, and has the conversation as it was', async () => {
    const stage = setUp({ 'a.txt': 'a\n' });
    const first = await stage.start(scripted(['echo b > b.txt']));
    await turn(first, 'one');
    await first.end();
    const model = scripted(['cat b.txt']);
    const second = await stage.resume(model);
    await turn(second, 'two');
    expect(second.usage.turns).toBe(2);
    expect(model.requests[0]?.map(({ role }) => role)).toEqual([
      'user',
      'assistant',
      'tool',
      'assistant',
      'user',
    ]);
    const entries = await second.ledger.entries();
    expect(entries.map(({ trailers }) => [trailers.kind, trailers.turn])).toEqual([
      ['initial', 0],
      ['tool', 1],
      ['resume', 1],
      ['tool', 2],
    ]);
    expect(entries[2]?.trailers.proof).toContain('canary');
  });

  it('finishes a rollback that a kill cut off between the ledger and the conversation', async () => {
    const stage = setUp({ 'a.txt': 'a\n' });
    const session = await stage.start(scripted(['echo b > b.txt', 'echo c > c.txt']));
    await turn(session, 'one');
    await turn(session, 'two');
    await session.end();
    const stored = stage.store.find(undefined, stage.project);
    const ledger = await openLedgerWriter(join(stored.folder, 'ledger') as HostPath);
    const [, to] = await ledger.entries();
    const head = await ledger.head();
    if (to === undefined) throw new Error('an entry was expected');
    const facts = {
      title: 'Rollback',
      kind: 'rollback',
      turn: 2,
      to: to.id,
      scope: 'both',
      at: new Date(),
    } as const;
    await ledger.appendTree({ ...unchangedFacts(head), ...facts, tree: to.tree });
    await ledger[Symbol.asyncDispose]();
    const model = scripted(['ls']);
    await turn(await stage.resume(model), 'three');
    expect(model.requests[0]?.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'user']);
    const answer = model.requests[1]?.at(-1);
    expect(answer?.role === 'tool' && answer.results[0]?.text).toMatch(/^a\.txt\nb\.txt\n/);
  });

  it('is refused while the session runs', async () => {
    const stage = setUp({ 'a.txt': 'a\n' });
    await stage.start(scripted([]));
    await expect(stage.resume(scripted([]))).rejects.toMatchObject({ code: 'session/busy' });
  });

  it('leaves the session as it was when it can not be brought to its state', async () => {
    const stage = setUp({ 'a.txt': 'a\n' });
    const session = await stage.start(scripted(['echo b > b.txt']));
    await turn(session, 'one');
    await session.end();
    const stored = stage.store.find(undefined, stage.project);
    const before = readFileSync(join(stored.folder, 'session.json'), 'utf8');
    const gone = new AbortController();
    gone.abort();
    const options = { backend: createDemoBackend({ agentBinary: AGENT, path: '/bin' }), signal: gone.signal };
    await expect(
      Session.resume(
        {
          ...options,
          home: '/nonexistent' as HostPath,
          directories: {
            state: stage.store.root.replace(/\/sessions$/, '') as HostPath,
            config: '/x' as HostPath,
            cache: '/y' as HostPath,
          },
          settings: { ...defaults, cpus: 1 },
          onEvent: () => undefined,
        },
        stored,
      ),
    ).rejects.toMatchObject({ code: 'cancelled' });
    expect(JSON.parse(readFileSync(join(stored.folder, 'session.json'), 'utf8'))).toEqual(JSON.parse(before));
    expect(stage.store.find(undefined, stage.project).owner).toBeUndefined();
  });
});
