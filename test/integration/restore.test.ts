/** Bringing a real workspace back: random histories of shell commands, over a walk and over a real overlay. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createDemoBackend } from '../../src/backends/demo/demo-backend.ts';
import { encodePath, type HostPath } from '../../src/base/path-bytes.ts';
import { createLedger } from '../../src/ledger/writer.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { EntryRecorder } from '../../src/session/entry-recorder.ts';
import { restoreTree } from '../../src/session/restore-tree.ts';
import { createOverlayBackend, layOut } from '../support/overlay-backend.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { temporaryFolder } from '../support/temp.ts';
import { createProject, type ProjectFiles, sourceOf } from '../support/test-project.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;
const NEVER = new AbortController().signal;
let opened = 0;

const FILES: ProjectFiles = {
  'a.txt': { content: 'a\n' },
  'run.sh': { content: '#!/bin/sh\n', mode: 0o755 },
  link: { target: 'a.txt' },
  'src/one.ts': { content: 'one\n' },
  'src/deep/er/two.ts': { content: 'two\n' },
  'only/here.txt': { content: 'here\n' },
  'ignored-not/x': { content: 'x\n' },
};

async function setUp(backendName: 'demo' | 'overlay') {
  const runDir = temporaryFolder();
  mkdirSync(runDir, { recursive: true });
  opened += 1;
  const project = createProject(FILES);
  const ledger = await createLedger({
    dir: join(runDir, 'ledger') as HostPath,
    objectFormat: 'sha1',
    session: 'test',
  });
  const sink = ledger.blobSink();
  for (const entry of project.entries) {
    if (entry.kind === 'symlink') sink.writeBlob(entry.target.length, [Buffer.from(entry.target)]);
    if (entry.kind === 'file') {
      const bytes = Buffer.concat([...(entry.content as Iterable<Uint8Array>)]);
      sink.writeBlob(bytes.length, [bytes]);
    }
  }
  const sandbox = await openSandbox({
    backend:
      backendName === 'overlay'
        ? createOverlayBackend()
        : createDemoBackend({ agentBinary: AGENT, path: '/usr/local/bin:/usr/bin:/bin' }),
    spec: plainSpec(runDir, `restore-${process.pid}-${opened}`),
    source: sourceOf(project, layOut),
    signal: NEVER,
    emit: () => undefined,
  });
  const initial = await ledger.commitInitial({
    title: 'Initial',
    at: new Date(0),
    turn: 0,
    files: project.manifest.files,
    skipped: [],
    ignored: 0,
    gitChanged: false,
  });
  const recorder = new EntryRecorder(sandbox, ledger, () => new Date(0));
  const end = async () => {
    await sandbox.end();
    await ledger[Symbol.asyncDispose]();
  };
  onTestFinished(end);
  const start = async (command: string) =>
    sandbox.exec({ argv: ['/bin/bash', '-c', command], mergeStderr: true, onOutput: () => undefined });
  const sh = async (command: string) => {
    const text: Buffer[] = [];
    const running = await sandbox.exec({
      argv: ['/bin/bash', '-c', command],
      mergeStderr: true,
      onOutput: (chunk) => void text.push(Buffer.from(chunk)),
    });
    await running.ended;
    return Buffer.concat(text).toString('latin1');
  };
  const record = async (command: string) => {
    await sh(command);
    return recorder.record({ title: 'sh', kind: 'tool', turn: 1 }, { sweep: false });
  };
  const back = (entry: { id: string; tree: string }) =>
    restoreTree({ sandbox, recorder, ledger }, entry.tree, {
      title: 'back',
      kind: 'rollback',
      turn: 1,
      to: entry.id,
      scope: 'files',
    });
  /** Every file, its mode's x bit, its content; not what no ledger holds. */
  const picture = () =>
    sh(
      'find . \\( -name .git -o -name ignored \\) -prune -o \\( -type f -o -type l \\) -print0 | LC_ALL=C sort -z | while IFS= read -r -d \'\' f; do if [ -L "$f" ]; then printf \'%q -> %q\\n\' "$f" "$(readlink "$f")"; else test -x "$f" && x=x || x=-; printf \'%q %s %s\\n\' "$f" $x "$(md5sum < "$f")"; fi; done',
    );
  return { sandbox, ledger, recorder, initial, sh, start, record, back, picture, end };
}

const NAMES = ['a.txt', 'link', 'src', 'src/one.ts', 'src/deep', 'new', 'new/sub', 'run.sh', 'only/here.txt'];
const HOSTILE = [
  "it's",
  '-rf',
  'new\nline',
  '\udc80\udcff',
  'ünï',
  ' ',
  '\u001b[2J',
  '*',
  'a\\b',
  '.gitattributes',
];

const quote = (path: string) =>
  `$'${[...encodePath(path)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}'`;

const name = fc
  .tuple(fc.constantFrom(...NAMES, ...HOSTILE), fc.option(fc.constantFrom(...HOSTILE, 'x', 'y')))
  .map(([first, second]) => quote(`./${second === null ? first : `${first}/${second}`}`));

const operation = fc.oneof(
  fc
    .tuple(name, fc.integer({ min: 0, max: 5 }))
    .map(([p, n]) => `mkdir -p -- "$(dirname ${p})" && echo ${n} > ${p}`),
  name.map((p) => `rm -rf ${p}`),
  name.map((p) => `rm -rf ${p}; mkdir -p ${p} && echo d > ${p}/f`),
  fc.tuple(name, name).map(([p, q]) => `ln -sfn ${q} ${p}`),
  fc.tuple(name, name).map(([p, q]) => `mv ${p} ${q}`),
  name.map((p) => `chmod 755 ${p}`),
  name.map((p) => `chmod 644 ${p}`),
  fc.constant('chmod -R a-w src 2>/dev/null'),
  fc.constant('mkdir -p ignored new/ignored; echo i > ignored/i; echo i > new/ignored/i'),
  fc.constant('rm -rf src && echo file > src'),
  fc.constant(
    'rm -f a.txt; mkdir -p a.txt/$(printf "d/%.0s" {1..60}); echo deep > a.txt/$(printf "d/%.0s" {1..60})f',
  ),
  name.map((p) => `mkfifo ${p}`),
  fc.constant('mkdir -p empty/very; mkdir -p new/empty'),
);

const isRoot = process.getuid?.() === 0;
const backends = isRoot ? (['demo', 'overlay'] as const) : (['demo'] as const);

describe.each(backends)('restoring over the %s backend', (backend) => {
  it('brings back the tree of any entry after any history, and leaves ignored files alone', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
        async (history, targets) => {
          const stage = await setUp(backend);
          try {
            const states = [{ entry: stage.initial, picture: await stage.picture() }];
            for (const commands of history) {
              const { entry } = await stage.record(commands.join('\n'));
              states.push({ entry, picture: await stage.picture() });
            }
            for (const target of targets) {
              const wanted = states[target % states.length];
              if (wanted === undefined) throw new Error('no such state');
              const ignored = await stage.sh('find . -path "*ignored/i" | sort; cat ignored/i 2>&1');
              let restored: Awaited<ReturnType<typeof stage.back>>;
              try {
                restored = await stage.back(wanted.entry);
              } catch (error) {
                // An ignored file stands where a file is to come: then nothing at all may have changed.
                expect(error).toMatchObject({ code: 'session/in-the-way' });
                expect(String((error as Error).message)).toMatch(/ignored/);
                continue;
              }
              expect(restored.entry.tree).toBe(wanted.entry.tree);
              expect(restored.entry.trailers).toMatchObject({ kind: 'rollback', ok: true });
              expect(await stage.picture()).toBe(wanted.picture);
              expect(await stage.sh('find . -path "*ignored/i" | sort; cat ignored/i 2>&1')).toBe(ignored);
              // Capture goes on from there: what is changed next is seen, and nothing else.
              const next = await stage.record('echo next > "next file"');
              expect(next.changed.filter((path) => path !== 'next file')).toEqual([]);
              states.push({ entry: restored.entry, picture: wanted.picture });
              states.push({ entry: next.entry, picture: await stage.picture() });
            }
            expect(await stage.ledger.verify()).toMatchObject({ ok: true });
          } finally {
            await stage.end();
          }
        },
      ),
      { numRuns: Number(process.env.SAFE_CODER_RUNS ?? 15) },
    );
  }, 240_000);

  it('records what ran in the background first, and lets it go on afterwards', async () => {
    const stage = await setUp(backend);
    const job = await stage.start('for i in $(seq 1000); do echo $i > counter; sleep 0.01; done');
    await expect.poll(() => stage.sh('cat counter 2>/dev/null')).toMatch(/\d/);
    const restored = await stage.back(stage.initial);
    expect(restored.entry.tree).toBe(stage.initial.tree);
    const entries = await stage.ledger.entries();
    expect(entries.map(({ trailers }) => trailers.kind)).toEqual(['initial', 'sweep', 'rollback']);
    // It writes again, and that is a change like any other.
    await expect.poll(() => stage.sh('cat counter 2>/dev/null')).toMatch(/\d/);
    job.kill();
    await job.ended;
    const after = await stage.recorder.sweep({ title: 'after', kind: 'sweep', turn: 1 });
    expect(after?.changed).toEqual(['counter']);
  }, 60_000);

  it('undoes a rollback by going back to the entry before it', async () => {
    const stage = await setUp(backend);
    const work = await stage.record('echo work > work.txt; rm -r src');
    const before = await stage.picture();
    await stage.back(stage.initial);
    expect(await stage.sh('ls src work.txt 2>&1')).toContain('one.ts');
    const undone = await stage.back(work.entry);
    expect(undone.entry.tree).toBe(work.entry.tree);
    expect(await stage.picture()).toBe(before);
  });

  it('changes nothing when an ignored file would be lost, and names it', async () => {
    const stage = await setUp(backend);
    await stage.record(
      'rm a.txt; mkdir -p a.txt/ignored; echo precious > a.txt/ignored/i; echo new > new.txt',
    );
    const error = await stage.back(stage.initial).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'session/in-the-way', details: { paths: ['a.txt/ignored/i'] } });
    expect(await stage.sh('cat a.txt/ignored/i new.txt')).toBe('precious\nnew\n');
    await stage.sh('rm -r a.txt/ignored');
    const restored = await stage.back(stage.initial);
    expect(restored.entry.tree).toBe(stage.initial.tree);
  });

  it('changes nothing when a file that is too large for the ledger would be lost', async () => {
    const stage = await setUp(backend);
    await stage.record('echo other > a.txt');
    await stage.record('truncate -s 60M a.txt');
    const error = await stage.back(stage.initial).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'session/in-the-way', details: { paths: ['a.txt'] } });
    expect(await stage.sh('stat -c %s a.txt')).toBe(`${60 << 20}\n`);
  });

  it('replaces a hard-linked file without changing the other name', async () => {
    const stage = await setUp(backend);
    await stage.record('ln a.txt other.txt; echo more >> a.txt');
    const { entry } = await stage.record('rm a.txt; ln other.txt a.txt; echo third > other.txt');
    await stage.back(stage.initial);
    expect(await stage.sh('cat a.txt; ls other.txt 2>&1')).toMatch(/^a\n.*No such file/);
    await stage.back(entry);
    expect(await stage.sh('cat a.txt other.txt')).toBe('third\nthird\n');
  });

  it('leaves no folder behind that was made for what is gone, but folders with ignored files', async () => {
    const stage = await setUp(backend);
    await stage.record(
      'mkdir -p one/two three/ignored; echo x > one/two/x; echo x > three/x; echo i > three/ignored/i',
    );
    await stage.back(stage.initial);
    expect(await stage.sh('ls -d one three 2>&1; ls three')).toMatch(
      /one.*No such file[\s\S]*three\nignored\n/,
    );
  });
});
