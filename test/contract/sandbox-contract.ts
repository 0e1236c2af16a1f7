/**
 * What every sandbox keeps, whatever its backend. A test file calls {@link sandboxContract} with a way to open one; a slow
 * machine is booted twice for the whole suite.
 */
import { createHash, randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodePath, encodePath, type RelPath } from '../../src/base/path-bytes.ts';
import type { SpawnEnd } from '../../src/guest/guest.ts';
import type { Capture, CapturedFile, ExecOptions, Sandbox } from '../../src/sandbox/sandbox.ts';
import { MemorySink } from '../support/memory-sink.ts';
import { createProject, isIgnored, type TestProject } from '../support/test-project.ts';

export interface ContractOptions {
  /** Opens a sandbox with this project in it. The suite ends it; what else was made is the caller's. */
  open(project: TestProject): Promise<Sandbox>;
  level: 'vm' | 'container' | 'demo';
}

/** Bytes that are no UTF-8, and what trips shells and terminals. */
const ODD_NAMES = [
  'two words',
  '-leading-dash',
  'new\nline',
  'esc\u001b[31m',
  decodePath(Buffer.from([0x62, 0xff, 0xfe, 0x64])),
  'ünïcødé',
  '"quoted"',
  '\\back\\slash',
  '%25',
];

const PROJECT = {
  'README.md': { content: '# Project\n' },
  'run.sh': { content: '#!/bin/sh\necho ran\n', mode: 0o755 },
  'src/main.c': { content: 'int main(void) { return 0; }\n' },
  'src/lib/a.c': { content: 'a\n' },
  'src/lib/b.c': { content: 'b\n' },
  'old/one': { content: '1\n' },
  'old/two': { content: '2\n' },
  link: { target: 'README.md' },
} as const;

interface Ran {
  out: string;
  err: string;
  end: SpawnEnd;
}

export function sandboxContract(name: string, options: ContractOptions): void {
  describe(`a sandbox of ${name}`, () => {
    let sandbox: Sandbox;
    const project = createProject(PROJECT);
    const ledger = new Ledger(project);

    beforeAll(async () => {
      sandbox = await options.open(project);
    });
    afterAll(async () => {
      await sandbox?.end();
    });

    const run = async (argv: string[], more: Partial<ExecOptions> = {}, input?: string): Promise<Ran> => {
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      const process = await sandbox.exec({
        argv,
        ...more,
        stdin: input !== undefined,
        onOutput: (chunk, channel) => {
          (channel === 'out' ? out : err).push(Buffer.from(chunk));
        },
      });
      if (input !== undefined) {
        await process.write(Buffer.from(input));
        process.closeStdin();
      }
      const end = await process.ended;
      return { out: decodePath(Buffer.concat(out)), err: decodePath(Buffer.concat(err)), end };
    };
    const sh = (script: string, more: Partial<ExecOptions> = {}, input?: string) =>
      run(['sh', '-c', script], more, input);
    const inside = (path: string) => `${sandbox.workspace}/${path}`;
    const capture = async (settings: { sweep?: boolean; alsoWrote?: string[] } = {}): Promise<Capture> =>
      ledger.apply(
        await sandbox.capture(ledger.sink, {
          sweep: settings.sweep ?? false,
          alsoWrote: (settings.alsoWrote ?? []) as RelPath[],
        }),
      );

    it('says how isolated it is, and what was checked', () => {
      expect(sandbox.isolation.level).toBe(options.level);
      expect(sandbox.isolation.proof.isolated).toBe(options.level !== 'demo');
      const names = sandbox.isolation.proof.checks.map((check) => check.name);
      expect(names).toEqual(['boot-id', 'kernel', 'canary', 'host-loopback', 'interfaces']);
    });

    it('holds the project as it was put in, and a first capture finds nothing', async () => {
      const { out } = await sh('cat README.md src/lib/a.c && ./run.sh && readlink link');
      expect(out).toBe('# Project\na\nran\nREADME.md\n');
      const first = await capture();
      expect(changed(first)).toEqual({ written: [], removed: [] });
      expect(first.skipped).toEqual([]);
    });

    describe('exec', () => {
      it('reports exit codes', async () => {
        expect((await sh('exit 0')).end).toMatchObject({ exitCode: 0, signal: undefined });
        expect((await sh('exit 255')).end).toMatchObject({ exitCode: 255, signal: undefined });
      });

      it('reports the signal that ended it', async () => {
        expect((await sh('kill -TERM $$')).end).toMatchObject({ exitCode: undefined, signal: 15 });
      });

      it('refuses a program that is not there, with its errno', async () => {
        await expect(run(['/no/such/program'])).rejects.toMatchObject({
          code: 'guest/failed',
          details: { errnoName: 'ENOENT' },
        });
      });

      it('passes arguments byte for byte and no environment but its own', async () => {
        const argv = [
          'sh',
          '-c',
          'for a; do printf "%s|" "$a"; done; printf "%s" "$ONLY"',
          'sh',
          '',
          ...ODD_NAMES,
        ];
        const { out } = await run(argv, { env: { ONLY: 'yes' } });
        expect(out).toBe(`|${ODD_NAMES.map((odd) => `${odd}|`).join('')}yes`);
        const { out: env } = await run(['env']);
        expect(env).not.toMatch(/KEY|TOKEN|NODE_|npm_/);
        expect(env).toContain('PATH=');
      });

      it('runs in the workspace unless told otherwise', async () => {
        expect((await sh('pwd')).out).toBe(`${sandbox.workspace}\n`);
        expect((await sh('pwd', { cwd: '/' })).out).toBe('/\n');
      });

      it('keeps output and errors apart, or joins them in order when asked', async () => {
        const script = 'echo 1; echo 2 >&2; echo 3';
        const apart = await sh(script);
        expect([apart.out, apart.err]).toEqual(['1\n3\n', '2\n']);
        expect((await sh(script, { mergeStderr: true })).out).toBe('1\n2\n3\n');
      });

      it('feeds standard input, and has an empty one when there is none', async () => {
        const text = 'line\n'.repeat(100_000);
        expect((await run(['cat'], {}, text)).out).toBe(text);
        expect((await run(['cat'])).out).toBe('');
      });

      it('delivers large output whole to a slow consumer, holding the guest back', async () => {
        const hash = createHash('sha256');
        let size = 0;
        let waits = 0;
        const process = await sandbox.exec({
          argv: ['sh', '-c', 'yes 0123456789abcde | head -c 4194304'],
          onOutput: async (chunk) => {
            size += chunk.length;
            hash.update(chunk);
            waits += 1;
            if (waits % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
          },
        });
        expect(await process.ended).toMatchObject({ exitCode: 0 });
        expect(size).toBe(4_194_304);
        const expected = createHash('sha256').update('0123456789abcde\n'.repeat(262_144));
        expect(hash.digest('hex')).toBe(expected.digest('hex'));
      });

      it('gives a terminal of the size asked for, and resizes it', async () => {
        let seen = '';
        const process = await sandbox.exec({
          argv: ['sh', '-c', 'stty size; read line; stty size; test -t 0 && test -t 1 && echo terminal'],
          pty: { rows: 24, columns: 80 },
          stdin: true,
          onOutput: (chunk) => {
            seen += chunk.toString();
          },
        });
        await expect.poll(() => seen, { timeout: 20_000 }).toContain('24 80');
        process.resize(40, 120);
        await process.write(Buffer.from('go\n'));
        expect(await process.ended).toMatchObject({ exitCode: 0 });
        expect(seen).toContain('40 120');
        expect(seen).toContain('terminal');
      });

      it('sends signals to the whole execution', async () => {
        let seen = '';
        const process = await sandbox.exec({
          argv: ['sh', '-c', 'trap "echo got; exit 7" INT; echo ready; while :; do sleep 0.05; done'],
          onOutput: (chunk) => {
            seen += chunk.toString();
          },
        });
        await expect.poll(() => seen, { timeout: 20_000 }).toContain('ready');
        process.signal(2);
        expect(await process.ended).toMatchObject({ exitCode: 7 });
        expect(seen).toContain('got');
      });

      it('ends what an execution left running when it ends, grandchildren in sessions of their own too', async () => {
        const seconds = nap();
        const mark = `sleep ${seconds}`;
        const { end } = await sh(`(setsid ${mark} &) ; (setsid sh -c "${mark}; true" &) ; ${mark} & exit 0`);
        expect(end.exitCode).toBe(0);
        expect(await sleepers(sh, seconds)).toBe(0);
      });

      it('kills an execution and all it started when it is cancelled', async () => {
        const abort = new AbortController();
        const seconds = nap();
        let seen = '';
        const process = await sandbox.exec(
          {
            argv: ['sh', '-c', `(setsid sleep ${seconds} &) ; trap "" TERM INT; echo up; sleep ${seconds}`],
            onOutput: (chunk) => {
              seen += chunk.toString();
            },
          },
          abort.signal,
        );
        await expect.poll(() => seen, { timeout: 20_000 }).toContain('up');
        expect(await sleepers(sh, seconds)).toBeGreaterThan(0);
        abort.abort();
        expect(await process.ended).toMatchObject({ signal: 9 });
        expect(await sleepers(sh, seconds)).toBe(0);
      });

      it('runs several at once, each with its own output', async () => {
        const all = await Promise.all([1, 2, 3, 4, 5].map((n) => sh(`echo ${n}; sleep 0.1; echo ${n}`)));
        expect(all.map(({ out }) => out)).toEqual([1, 2, 3, 4, 5].map((n) => `${n}\n${n}\n`));
      });
    });

    describe('files', () => {
      it('writes, reads, looks at and removes files of any name', async () => {
        for (const odd of ODD_NAMES) {
          const path = inside(`odd/${odd}`);
          const { created } = await sandbox.write(path, encodePath(odd), { makeParents: true });
          expect(created).toBe(true);
          expect(decodePath((await sandbox.read(path, { maxBytes: 1000 })).bytes)).toBe(odd);
          expect((await sandbox.stat(path)).canonical).toBe(path);
        }
        const { entries, truncated } = await sandbox.list(inside('odd'), 100);
        expect(truncated).toBe(false);
        expect(entries.map((entry) => entry.name).sort()).toEqual([...ODD_NAMES].sort());
        expect((await sandbox.list(inside('odd'), 2)).truncated).toBe(true);
        await sandbox.remove(inside('odd'), { recursive: true });
        await expect(sandbox.stat(inside('odd'))).rejects.toMatchObject({ details: { errnoName: 'ENOENT' } });
      });

      it('keeps a file’s mode when it is replaced, and sets one when asked', async () => {
        await sandbox.write(inside('tool'), Buffer.from('1'), { mode: 0o755 });
        const { stat, created } = await sandbox.write(inside('tool'), Buffer.from('22'), {});
        expect([created, stat.mode, stat.size]).toEqual([false, 0o755, 2]);
        await expect(
          sandbox.write(inside('tool'), Buffer.from('3'), { exclusive: true }),
        ).rejects.toMatchObject({ details: { errnoName: 'EEXIST' } });
        await sandbox.remove(inside('tool'));
      });

      it('reads a range, and says when there is no file to read', async () => {
        const { bytes } = await sandbox.read(inside('README.md'), { offset: 2, maxBytes: 4 });
        expect(bytes.toString()).toBe('Proj');
        await expect(sandbox.read(inside('src'), { maxBytes: 10 })).rejects.toMatchObject({
          details: { errnoName: 'EISDIR' },
        });
        await sh('mkfifo pipe');
        await expect(sandbox.read(inside('pipe'), { maxBytes: 10 })).rejects.toMatchObject({
          code: 'guest/failed',
        });
        await sandbox.remove(inside('pipe'));
      });

      it('writes and reads a file of several megabytes', async () => {
        const bytes = Buffer.from('0123456789abcdef'.repeat(200_000));
        await sandbox.write(inside('big'), bytes, {});
        const back = await sandbox.read(inside('big'), { maxBytes: bytes.length });
        expect(back.bytes.equals(bytes)).toBe(true);
        await sandbox.remove(inside('big'));
      });

      it('tells a symlink from what it points to', async () => {
        const link = await sandbox.stat(inside('link'), { noFollow: true });
        expect([link.stat.kind, link.target]).toEqual(['symlink', 'README.md']);
        const file = await sandbox.stat(inside('link'));
        expect([file.stat.kind, file.canonical]).toEqual(['file', inside('README.md')]);
      });
    });

    describe('capture', () => {
      it('finds nothing after changes that were taken back', async () => {
        await capture();
        await sh('echo x > temp; rm temp; mkdir e; rmdir e; mv README.md r; mv r README.md');
        expect(changed(await capture())).toEqual({ written: [], removed: [] });
      });

      it('finds files of any name, new, changed, moved and removed', async () => {
        for (const odd of ODD_NAMES) {
          await sandbox.write(inside(`names/${odd}`), Buffer.from('x'), { makeParents: true });
        }
        expect(changed(await capture()).written).toEqual(ODD_NAMES.map((odd) => `names/${odd}`).sort());
        await sh('rm -r names; echo more >> README.md; mv src/lib src/moved; chmod +x src/main.c');
        const after = await capture();
        expect(changed(after)).toEqual({
          written: ['README.md', 'src/main.c', 'src/moved/a.c', 'src/moved/b.c'],
          removed: [...ODD_NAMES.map((odd) => `names/${odd}`), 'src/lib/a.c', 'src/lib/b.c'].sort(),
        });
        expect(after.written[1]?.mode).toBe('100755');
        await expectWalk();
      });

      it('turns files into directories and back, and replaces directories', async () => {
        await sh('rm README.md && mkdir README.md && echo in > README.md/inner && rm -r old && echo f > old');
        expect(changed(await capture())).toEqual({
          written: ['README.md/inner', 'old'],
          removed: ['README.md', 'old/one', 'old/two'],
        });
        await sh(
          'rm -r README.md old && mkdir old && echo 1 > old/one && echo new > old/new && printf "# Project\\n" > README.md',
        );
        expect(changed(await capture())).toEqual({
          written: ['README.md', 'old/new', 'old/one'],
          removed: ['README.md/inner', 'old'],
        });
        await expectWalk();
      });

      it('follows no symlink, and records where each points', async () => {
        await sh('ln -s /etc/passwd out; ln -s src dirlink; ln -sfn run.sh link');
        const { written } = await capture();
        expect(written.map(({ path, mode }) => [path, mode])).toEqual([
          ['dirlink', '120000'],
          ['link', '120000'],
          ['out', '120000'],
        ]);
        expect(ledger.sink.text(written[2]?.oid ?? '')).toBe('/etc/passwd');
      });

      it('names what it skips: pipes, sockets, setuid bits, nested repositories, empty directories', async () => {
        await sh(
          'mkfifo pipe; mkdir empty; mkdir -p sub/.git && echo ref > sub/.git/HEAD && echo code > sub/code;' +
            'echo s > suid && chmod 4755 suid',
        );
        const { skipped, written } = await capture();
        expect(skipped.map(({ path, reason }) => [path, reason])).toEqual([
          ['empty', 'empty-directory'],
          ['pipe', 'special'],
          ['sub/.git', 'nested-git'],
          ['suid', 'setuid'],
        ]);
        expect(written.map(({ path, mode }) => [path, mode])).toEqual([
          ['sub/code', '100644'],
          ['suid', '100755'],
        ]);
        await sh('rm -rf pipe empty sub suid');
        await capture();
      });

      it('counts what the base ignores, and captures what a file tool wrote there', async () => {
        await sh('mkdir -p ignored/deep; for n in 1 2 3 4 5 6 7; do echo $n > ignored/deep/$n; done');
        const first = await capture();
        expect(changed(first)).toEqual({ written: [], removed: [] });
        expect(first.ignored.count).toBe(7);
        await sandbox.write(inside('ignored/deep/3'), Buffer.from('by a tool'), {});
        expect(changed(await capture({ alsoWrote: ['ignored/deep/3'] })).written).toEqual(['ignored/deep/3']);
        await sh('rm -r ignored');
        expect(changed(await capture()).removed).toEqual(['ignored/deep/3']);
      });

      it('notices that the root .git changed', async () => {
        expect((await capture()).gitChanged).toBe(false);
        await sh('mkdir -p .git && echo hook > .git/planted');
        const after = await capture();
        expect(after.gitChanged).toBe(true);
        expect(changed(after)).toEqual({ written: [], removed: [] });
        await sh('rm -r .git');
      });

      it('finds in a sweep what the stamps were made to hide', async () => {
        await sh('echo one > sly; touch -d @1000000000 sly');
        await capture();
        await sh('sleep 2.1');
        await capture();
        const sweep = await capture({ sweep: true });
        expect(sweep.isSweep).toBe(true);
        expect(changed(sweep)).toEqual({ written: [], removed: [] });
        // Same inode, size and mtime; only ctime tells.
        await sh('printf "two\\n" > sly; touch -d @1000000000 sly');
        expect(changed(await capture()).written).toEqual(['sly']);
      });

      it('equals a full walk after random operations', async () => {
        const random = generator(4711);
        // Every operation is a few processes, which an emulated machine starts slowly.
        const [rounds, size] = options.level === 'vm' ? [3, 10] : [8, 25];
        for (let round = 0; round < rounds; round++) {
          await sh(Array.from({ length: size }, () => randomOperation(random)).join('\n'));
          await capture({ sweep: round === 2 });
          await expectWalk();
        }
      });

      /** What the guest's own tools find in the workspace is what the captures add up to. */
      async function expectWalk(): Promise<void> {
        const prune = 'find . \\( -path ./.git -o -name ignored \\) -prune -o';
        const sums = await sh(`${prune} -type f -print0 | sort -z | xargs -0 -r sha256sum -z`);
        const links = await sh(`${prune} -type l -printf '%p\\0%l\\0'`);
        const runnable = await sh(`${prune} -type f -perm -100 -print0`);
        const executables = new Set(runnable.out.split('\0'));
        const found = new Map<string, string>();
        for (const line of sums.out.split('\0').filter((item) => item !== '')) {
          const path = line.slice(66);
          const mode = executables.has(path) ? '100755' : '100644';
          found.set(path.slice(2), `${mode} ${line.slice(0, 64)}`);
        }
        const pairs = links.out.split('\0');
        for (let at = 0; at + 1 < pairs.length; at += 2) {
          found.set((pairs[at] ?? '').slice(2), `120000 ${sha256(encodePath(pairs[at + 1] ?? ''))}`);
        }
        expect(ledger.contents()).toEqual(sorted(found));
      }
    });
  });

  describe(`the end of a sandbox of ${name}`, () => {
    it('ends with an execution running, more than once, and says so to whoever waits', async () => {
      const sandbox = await options.open(createProject(PROJECT));
      const process = await sandbox.exec({ argv: ['sleep', '1000'], onOutput: () => undefined });
      const ended = expect(process.ended).rejects.toMatchObject({ code: 'guest/lost' });
      await Promise.all([sandbox.end(), sandbox.end()]);
      await sandbox.end();
      await ended;
      await sandbox.closed;
      await expect(sandbox.exec({ argv: ['true'], onOutput: () => undefined })).rejects.toMatchObject({
        code: 'guest/lost',
      });
    });
  });
}

/** A time to sleep that no other test on this machine uses. */
function nap(): string {
  return String(randomInt(100_000_000, 1_000_000_000));
}

/** How many processes sleep for this long. The pattern is no match of itself, so the search doesn't find itself. */
async function sleepers(sh: (script: string) => Promise<Ran>, seconds: string): Promise<number> {
  const pattern = `'sleep ${seconds.slice(0, -1)}[${seconds.slice(-1)}]'`;
  const { out } = await sh(
    `cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o ${pattern} | wc -l`,
  );
  return Number(out);
}

function changed(capture: Capture): { written: string[]; removed: string[] } {
  return { written: capture.written.map(({ path }) => path), removed: capture.removed };
}

/** The captures of one sandbox, added up. */
class Ledger {
  readonly sink = new MemorySink();
  readonly #files = new Map<string, Omit<CapturedFile, 'path'>>();

  constructor(project: TestProject) {
    for (const [path, file] of project.manifest.files) this.#files.set(path, file);
    for (const node of Object.values(project.files)) {
      const bytes = 'target' in node ? encodePath(node.target) : Buffer.from(node.content);
      this.sink.writeBlob(bytes.length, [bytes]);
    }
  }

  apply(capture: Capture): Capture {
    for (const path of capture.removed) expect([path, this.#files.delete(path)]).toEqual([path, true]);
    for (const { path, ...file } of capture.written) this.#files.set(path, file);
    return capture;
  }

  /** Path to mode and SHA-256, sorted; what the base ignores is left out. */
  contents(): [string, string][] {
    const found = new Map<string, string>();
    for (const [path, { mode, oid }] of this.#files) {
      const bytes = this.sink.blobs.get(oid);
      if (bytes === undefined) throw new Error(`the sink was never given ${path}`);
      if (!isIgnored(path)) found.set(path, `${mode} ${sha256(bytes)}`);
    }
    return sorted(found);
  }
}

function sorted(map: Map<string, string>): [string, string][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) % below;
  };
}

function randomOperation(random: (below: number) => number): string {
  const names = ['a', 'b', 'src', 'lib', 'README.md', "'two words'", 'ignored'];
  const path = () => Array.from({ length: 1 + random(3) }, () => names[random(names.length)]).join('/');
  const one = path();
  const parent = one.includes('/') ? one.slice(0, one.lastIndexOf('/')) : '.';
  const operations = [
    `mkdir -p ${parent} 2>/dev/null && echo ${random(5)} > ${one}`,
    `mkdir -p ${parent} 2>/dev/null && echo ${random(5)} >> ${one}`,
    `rm -rf ./${one}`,
    `mkdir -p ${one}`,
    `mv -T ./${one} ./${path()}`,
    `cp -rT ./${one} ./${path()}`,
    `chmod ${random(2) === 0 ? '+x' : '-x'} ./${one}`,
    `ln -sfn ${path()} ./${one}`,
    `ln -f ./${one} ./${path()}`,
  ];
  return `{ ${operations[random(operations.length)]}; } 2>/dev/null`;
}
