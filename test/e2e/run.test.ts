import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cliEnvironment, jsonLines, runCli } from '../support/cli.ts';
import { openFakeModel } from '../support/fake-model/server.ts';
import { makeProject, pictureOf, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';

const FILES = {
  'src/main.ts': 'export const a = 1;\n',
  'old.ts': 'gone\n',
  'package.json': '{"name":"p"}\n',
  '.env': 'TOKEN=very-secret-value\n',
};

/** Edits one file, deletes one, adds one that runs on the host later. */
const STEPS = [
  { text: 'I will look.', calls: [{ tool: 'read', input: { path: 'src/main.ts' } }] },
  {
    calls: [
      { tool: 'edit', input: { path: 'src/main.ts', edits: [{ old_string: 'a = 1', new_string: 'a = 2' }] } },
      {
        tool: 'bash',
        input: {
          command:
            'rm old.ts; printf "#!/bin/sh\\n" > hook.sh; chmod +x hook.sh; env > /tmp/env; cat /tmp/env; ls -a',
        },
      },
    ],
  },
  { text: 'Done.' },
];

function setUp(steps: readonly Record<string, unknown>[] = STEPS) {
  const home = temporaryFolder();
  const project = makeProject(home, FILES);
  const replay = join(home, 'conversation.jsonl');
  writeReplay(replay, steps);
  const run = (args: string[], more: { env?: Record<string, string>; input?: string } = {}) =>
    runCli(args, { home, cwd: project, ...more });
  return { home, project, model: ['--demo', '--model', `replay/${replay}`], run };
}

describe('run', () => {
  it('tells everything as JSON lines with the fields of the contract, and leaves the project alone', async () => {
    const { project, model, run } = setUp();
    const before = pictureOf(project);
    const result = await run(['run', 'do it', '--json', ...model]);
    expect(result.stderr).toBe('');
    expect(result.code).toBe(0);
    const events = jsonLines(result.stdout);
    const of = (type: string) => events.filter((event) => event.type === type);
    expect(of('session.start')[0]).toMatchObject({
      path: project,
      isolation: { level: 'demo', backend: 'demo', proof: { isolated: false } },
    });
    expect(of('session.start')[0]?.base).toMatch(/^[0-9a-f]{40}$/);
    expect(of('tool.start').map((event) => event.tool)).toEqual(['read', 'edit', 'bash']);
    for (const end of of('tool.end')) {
      expect(end).toMatchObject({
        ok: true,
        durationMs: expect.any(Number),
        entry: expect.stringMatching(/^[0-9a-f]{40}$/),
      });
    }
    expect(of('tool.end').map((event) => event.changed)).toEqual([
      [],
      ['src/main.ts'],
      ['hook.sh', 'old.ts'],
    ]);
    const end = of('session.end')[0];
    expect(end).toMatchObject({
      ok: true,
      reason: 'done',
      applied: [],
      conflicts: [],
      ledger: { entries: 4 },
      usage: { turns: 1 },
    });
    expect(end?.changes).toEqual([
      expect.objectContaining({ path: 'hook.sh', change: 'added', risk: [expect.any(String)] }),
      expect.objectContaining({ path: 'old.ts', change: 'deleted' }),
      expect.objectContaining({ path: 'src/main.ts', change: 'modified', added: 1, removed: 1 }),
    ]);
    expect(pictureOf(project)).toEqual(before);
  });

  it('withholds secrets and gives the guest nothing of the host environment', async () => {
    const { model, run } = setUp();
    const env = { ANTHROPIC_API_KEY: 'sk-ant-do-not-leak-me', SOME_HOST_VARIABLE: 'host-value' };
    const result = await run(['run', 'do it', '--json', ...model], { env });
    const events = jsonLines(result.stdout);
    expect(events.find((event) => event.type === 'session.start')?.withheld).toEqual(['.env']);
    const bash = events.filter((event) => event.type === 'tool.end').at(-1);
    expect(String(bash?.text)).toContain('PATH=');
    expect(String(bash?.text)).not.toMatch(/\.env\n/);
    expect(result.stdout).not.toMatch(/do-not-leak-me|very-secret-value|host-value/);
  });

  it('applies only what carries no risk with --apply safe, and undo takes it back', async () => {
    const { project, model, run } = setUp();
    const before = pictureOf(project);
    const result = await run(['run', 'do it', '--apply', 'safe', ...model]);
    expect(result.code).toBe(0);
    expect(result.stderr).toContain('NOT ISOLATED');
    expect(result.stderr).toContain('Changes in this session (3 files, +2 -2)');
    expect(result.stderr).toContain(`✓ Changes synced to host: ${project}`);
    expect(existsSync(join(project, 'hook.sh'))).toBe(false);
    expect(existsSync(join(project, 'old.ts'))).toBe(false);
    expect(readFileSync(join(project, 'src/main.ts'), 'utf8')).toBe('export const a = 2;\n');
    const undone = await run(['undo', '--yes']);
    expect(undone.code).toBe(0);
    expect(pictureOf(project)).toEqual(before);
    expect((await run(['undo', '--yes'])).code).toBe(2);
  });

  it('applies later, by pattern, what it did not apply at once', async () => {
    const { project, model, run } = setUp();
    await run(['run', 'do it', ...model]);
    const preview = await run(['apply', '--dry-run', '--json']);
    expect(jsonLines(preview.stdout).at(-1)).toMatchObject({
      type: 'apply.preview',
      actions: expect.arrayContaining([expect.objectContaining({ path: 'hook.sh', action: 'add' })]),
    });
    const refused = await run(['apply']);
    expect([refused.code, refused.stderr.includes('--yes')]).toEqual([2, true]);
    expect((await run(['apply', '--yes', '--accept', 'hook.sh'])).code).toBe(0);
    expect(existsSync(join(project, 'hook.sh'))).toBe(true);
    expect(existsSync(join(project, 'old.ts'))).toBe(true);
  });

  it('leaves a file alone that the host changed meanwhile, applies the rest and exits with 6', async () => {
    const { project, model, run } = setUp();
    await run(['run', 'do it', ...model]);
    writeFileSync(join(project, 'src/main.ts'), 'mine\n');
    const result = await run(['apply', '--yes', '--json']);
    expect(result.code).toBe(6);
    expect(jsonLines(result.stdout).at(-1)).toMatchObject({
      type: 'applied',
      conflicts: [{ path: 'src/main.ts' }],
    });
    expect(readFileSync(join(project, 'src/main.ts'), 'utf8')).toBe('mine\n');
    expect(existsSync(join(project, 'old.ts'))).toBe(false);
  });

  it('takes the task from standard input', async () => {
    const { model, run } = setUp([{ expect: { user: 'from a pipe' }, text: 'Heard.' }]);
    const result = await run(['run', '--json', ...model], { input: 'a task from a pipe\n' });
    expect(result.code).toBe(0);
  });

  it('keeps a ledger that log, show and diff read and --verify proves', async () => {
    const { model, run } = setUp();
    await run(['run', 'do it', ...model]);
    const log = await run(['log', '--json', '--verify']);
    const entries = jsonLines(log.stdout).filter((event) => event.type === 'entry');
    expect(entries.map((entry) => entry.title)).toEqual([
      'Initial snapshot - Safe Coder VM',
      'Agent executed: read',
      'Agent executed: edit',
      'Agent executed: bash',
    ]);
    expect(entries[0]).toMatchObject({
      seq: 1,
      kind: 'initial',
      isolation: 'demo demo none',
      proof: expect.stringContaining('boot-id'),
    });
    expect(entries[3]).toMatchObject({
      seq: 4,
      tool: 'bash',
      turn: 1,
      exitCode: 0,
      inputSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(jsonLines(log.stdout).at(-1)).toMatchObject({ type: 'verify', ok: true, entries: 4 });
    expect(entries[3]?.input).toMatchObject({ command: expect.stringContaining('rm old.ts') });
    expect((await run(['log'])).stdout).toMatch(/#4 .*bash rm old\.ts/);
    expect((await run(['show', '#3'])).stdout).toContain('+export const a = 2;');
    expect((await run(['diff', '1..3'])).stdout).toContain('-export const a = 1;');
    expect((await run(['diff', '--stat'])).stdout).toContain('D old.ts');
    expect((await run(['show', '#99'])).code).toBe(2);
    const sessions = jsonLines((await run(['sessions', '--json'])).stdout);
    expect(sessions).toEqual([
      expect.objectContaining({ type: 'session', state: 'ended', title: 'do it', face: 'run' }),
    ]);
    const removed = await run(['rm', String(sessions[0]?.session), '--yes']);
    expect(removed.code).toBe(0);
    expect(jsonLines((await run(['sessions', '--json'])).stdout)).toEqual([]);
  });

  it('gives a project without git an empty repository in the guest, which is no change of the agent', async () => {
    const { project, run } = setUp();
    const result = await run([
      'exec',
      '--demo',
      '--',
      'env',
      'GIT_OPTIONAL_LOCKS=0',
      'git',
      'status',
      '--short',
      '--branch',
    ]);
    expect([result.code, result.stdout]).toEqual([
      0,
      expect.stringMatching(/^## No commits yet on main\n\?\? old\.ts/),
    ]);
    expect(existsSync(join(project, '.git'))).toBe(false);
    expect(jsonLines((await run(['log', '--json'])).stdout).at(-1)).toMatchObject({
      changed: [],
      gitChanged: false,
    });
  });

  it('leaves no process and no file of the sandbox behind', async () => {
    const { home, model, run } = setUp();
    await run(['run', 'do it', ...model]);
    expect(readdirSync(join(home, 'sc/state/run'))).toEqual([]);
  });

  it('writes nothing of its own into a project that has git, and needs no identity', async () => {
    const { project, model, run } = setUp();
    const { execFileSync } = await import('node:child_process');
    const git = (...args: string[]) =>
      execFileSync('git', ['-C', project, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
        env: { PATH: process.env.PATH, HOME: '/nonexistent' },
      });
    git('init', '-q');
    git('add', 'src');
    git('commit', '-q', '-m', 'first');
    const before = pictureOf(project);
    const result = await run(['run', 'do it', ...model]);
    expect(result.code).toBe(0);
    expect(pictureOf(project)).toEqual(before);
    // The project's repository may go: the ledger stands alone.
    execFileSync('rm', ['-rf', join(project, '.git')]);
    expect((await run(['log', '--verify'])).stdout).toContain('✓ Verified 4 entries');
  });
});

describe('run with a provider over its wire', () => {
  it('works a task through and answers every call once', async () => {
    const { home, project, run } = setUp();
    await using server = await openFakeModel([
      { calls: [{ tool: 'bash', input: { command: 'echo made > made.txt' } }] },
      { text: 'Made it.' },
    ]);
    const args = [
      'run',
      'make it',
      '--demo',
      '--apply',
      'all',
      '--json',
      '--model',
      'anthropic/claude-sonnet-4-5',
    ];
    const result = await run(args, {
      env: { ANTHROPIC_API_KEY: 'sk-ant-test-key-1234', ANTHROPIC_BASE_URL: server.url },
    });
    expect(result.code).toBe(0);
    expect(server.violations).toEqual([]);
    expect(server.remaining).toBe(0);
    expect(readFileSync(join(project, 'made.txt'), 'utf8')).toBe('made\n');
    expect(result.stdout + result.stderr).not.toContain('sk-ant-test-key-1234');
    const kept = readdirSync(join(home, 'sc/state'), {
      recursive: true,
      encoding: 'utf8',
      withFileTypes: true,
    }).filter((entry) => entry.isFile());
    expect(kept.length).toBeGreaterThan(3);
    for (const file of kept)
      expect(readFileSync(join(file.parentPath, file.name), 'latin1')).not.toContain('sk-ant-test-key-1234');
  });

  it('exits with 8 when the key is refused, and says what to do', async () => {
    const { run } = setUp();
    await using server = await openFakeModel([{ fault: { kind: 'status', status: 401 } } as never]);
    const result = await run(['run', 'x', '--demo', '--model', 'anthropic/claude-sonnet-4-5'], {
      env: { ANTHROPIC_API_KEY: 'sk-ant-wrong-key-99', ANTHROPIC_BASE_URL: server.url },
    });
    expect(result.code).toBe(8);
    expect(result.stderr).not.toContain('sk-ant-wrong-key-99');
    expect(result.stderr).toMatch(/key/i);
  });
});

describe('bad input', () => {
  it.each([
    [['--no-such-option'], 2, /unknown option/],
    [['rnu', 'x'], 2, /Did you mean "run"/],
    [['exec', '--demo', '--path', '/no/such/place', '--', 'true'], 2, /no folder/i],
    [['exec', '--demo', '--path', '/etc/passwd', '--', 'true'], 2, /not a directory/],
    [['exec', '--demo', '--path', '/', '--', 'true'], 2, /whole file system/],
    [['run', 'x', '--demo'], 3, /No model is set/],
    [['run', 'x', '--demo', '--model', 'antropic/x'], 3, /anthropic/],
    [['run', 'x', '--demo', '--model', 'anthropic/claude-sonnet-4-5'], 3, /ANTHROPIC_API_KEY/],
    [['run', 'x', '--demo', '--model', 'replay/missing.jsonl'], 3, /missing\.jsonl/],
    [['exec', '--isolation', 'container', '--backend', 'qemu', '--', 'true'], 4, /does not give/],
    [['exec', '--demo', '--network', 'open', '--', 'true'], 4, /no policy holds it/],
    [['exec', '--demo', '--isolation', 'vm', '--', 'true'], 2, /exclude each other/],
    [['exec', '--backend', 'demo', '--', 'true'], 2, /--demo/],
    [['exec', '--demo', '--memory', 'lots', '--', 'true'], 3, /memory/],
    [['exec', '--demo', '--share', '../x', '--', 'true'], 2, /--share/],
    [['exec', '--demo', '--share', 'nothere', '--', 'true'], 2, /no such file/],
    [['run', 'x', '--demo', '--model', 'replay//tmp'], 3, /no recorded conversation/],
    [['run', 'x', '--demo', '--model', 'replay//dev/null', '--record', '/nope/x'], 3, /recorded|--record/],
    [['log', 'ffff'], 2, /no session/],
    [['apply'], 2, /no session/],
    [['rm', 'ffff', '--yes'], 2, /no session/],
    [['shell', '--demo'], 2, /terminal/],
  ])('%j exits with %i and says what is wrong', async (args, code, pattern) => {
    const { run } = setUp();
    const result = await run(args);
    expect([result.code, result.stderr]).toEqual([code, expect.stringMatching(pattern)]);
    expect(result.stderr).not.toContain('Unexpected error');
  });

  it('is one JSON line with --json', async () => {
    const { run } = setUp();
    const result = await run(['exec', '--demo', '--json', '--path', '/no/such/place', '--', 'true']);
    expect(result.stderr).toBe('');
    expect(jsonLines(result.stdout)).toEqual([
      expect.objectContaining({ type: 'error', code: 'usage/no-such-path' }),
    ]);
  });

  it("names a bad setting of the project's file, which can't loosen anything", async () => {
    const { project, run } = setUp();
    writeFileSync(join(project, '.safe-coder.jsonc'), '{"baseUrl": "http://evil.test"}');
    const result = await run(['exec', '--demo', '--', 'true']);
    expect([result.code, result.stderr]).toEqual([3, expect.stringMatching(/can't set "baseUrl"/)]);
  });

  it('refuses a state folder that others can read', async () => {
    const { home, run } = setUp();
    mkdirSync(join(home, 'sc/state'), { recursive: true });
    chmodSync(join(home, 'sc/state'), 0o755);
    const result = await run(['sessions']);
    expect([result.code, result.stderr]).toEqual([4, expect.stringMatching(/chmod 700/)]);
  });
});

describe('exec', () => {
  it("exits with the command's exit code and passes its output through", async () => {
    const { run } = setUp();
    const result = await run(['exec', '--demo', '--', 'sh', '-c', 'echo out; echo err >&2; cat; exit 42'], {
      input: 'from stdin\n',
    });
    expect(result.code).toBe(42);
    expect(result.stdout).toBe('out\nfrom stdin\n');
    expect(result.stderr).toContain('err\n');
  });

  it('names a command that does not exist', async () => {
    const { run } = setUp();
    const result = await run(['exec', '--demo', '--', 'no-such-command-here']);
    expect(result.code).toBe(127);
    expect(result.stderr).toContain('no-such-command-here');
  });

  it('is cancelled by SIGINT: nothing runs on, the session is recorded, exit code 130', async () => {
    const { home, run, project } = setUp();
    const result = await runCli(
      ['exec', '--demo', '--', 'sh', '-c', 'touch begun; echo ready; exec sleep 1000'],
      {
        home,
        cwd: project,
        onStdout: (text, child) => {
          if (text.includes('ready')) child.kill('SIGINT');
        },
      },
    );
    expect(result.code).toBe(130);
    const log = jsonLines((await run(['log', '--json'])).stdout);
    expect(log.at(-1)).toMatchObject({ tool: 'exec', ok: false, changed: ['begun'] });
  });
});

describe('exec for programs', () => {
  it('tells start, output by channel with whole characters, and end with exit code, entry and changed paths', async () => {
    const { run } = setUp();
    const result = await run([
      'exec',
      '--demo',
      '--json',
      '--',
      'sh',
      '-c',
      "printf 'h\\303'; sleep 0.2; printf '\\251\\n'; echo bad >&2; echo x > new.txt; exit 3",
    ]);
    expect([result.code, result.stderr]).toEqual([3, '']);
    const events = jsonLines(result.stdout);
    const start = events.find((event) => event.type === 'tool.start');
    expect(start).toMatchObject({ tool: 'exec', call: 'exec-1' });
    const output = (channel: string) =>
      events
        .filter((event) => event.type === 'tool.output' && event.channel === channel)
        .map((event) => event.text)
        .join('');
    expect([output('out'), output('err')]).toEqual(['hé\n', 'bad\n']);
    expect(events.find((event) => event.type === 'tool.end')).toMatchObject({
      call: 'exec-1',
      ok: false,
      exitCode: 3,
      durationMs: expect.any(Number),
      entry: expect.stringMatching(/^[0-9a-f]{40}$/),
      changed: ['new.txt'],
    });
    expect(events.at(-1)).toMatchObject({ type: 'session.end', ok: false, reason: 'exit 3' });
  });

  it('names what is not in the ledger: skipped and ignored, in the summary and as data', async () => {
    const { project, run } = setUp();
    writeFileSync(join(project, '.gitignore'), 'build/\n*.log\n');
    const command = ['sh', '-c', 'mkdir build; echo x > build/o; echo y > z.log; mkfifo pipe'];
    const text = await run(['exec', '--demo', '--', ...command]);
    expect(text.stderr).toMatch(/Not in the ledger \(1\):\n {2}pipe: special/);
    expect(text.stderr).toMatch(
      /Changed but ignored by the project's own rules \(2\): .*build.*z\.log|Changed but ignored.*z\.log.*build/,
    );
    const json = await run(['exec', '--demo', '--json', '--', ...command]);
    expect(jsonLines(json.stdout).at(-1)).toMatchObject({
      skipped: [{ path: 'pipe', reason: 'special' }],
      ignored: { count: 2 },
    });
  });

  it('ends when the command ends, also while standard input stays open', async () => {
    const { home, project } = setUp();
    const { spawn } = await import('node:child_process');
    const { cliCommand } = await import('../support/cli.ts');
    const [file, argv] = cliCommand(['exec', '--demo', '--', 'true']);
    const child = spawn(file, argv, {
      cwd: project,
      env: cliEnvironment(home),
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    try {
      expect(await new Promise((resolve) => child.on('exit', resolve))).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('ends in order when its reader goes away: the session is recorded as ended, nothing is left', async () => {
    const { home, project, run } = setUp();
    const { execFileSync } = await import('node:child_process');
    const { cliCommand } = await import('../support/cli.ts');
    const [file, argv] = cliCommand(['exec', '--demo', '--', 'sh', '-c', 'yes | head -c 3000000; sleep 60']);
    const quote = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;
    execFileSync('sh', ['-c', `${[file, ...argv].map(quote).join(' ')} 2>/dev/null | head -n 1`], {
      cwd: project,
      env: cliEnvironment(home),
    });
    for (const end = Date.now() + 15_000; Date.now() < end; ) {
      const [session] = jsonLines((await run(['sessions', '--json'])).stdout);
      if (session?.state === 'ended') break;
    }
    const [session] = jsonLines((await run(['sessions', '--json'])).stdout);
    expect(session).toMatchObject({ state: 'ended', reason: 'cancelled' });
    expect(readdirSync(join(home, 'sc/state/run'))).toEqual([]);
  });

  it('does not end well when apply failed', async () => {
    const { home, project, run } = setUp();
    const { renameSync } = await import('node:fs');
    const result = await runCli(
      [
        'exec',
        '--demo',
        '--json',
        '--apply',
        'all',
        '--',
        'sh',
        '-c',
        'echo x > new.txt; echo ready; sleep 1',
      ],
      {
        home,
        cwd: project,
        onStdout: (text) => {
          if (!text.includes('ready') || existsSync(`${project}.aside`)) return;
          renameSync(project, `${project}.aside`);
          mkdirSync(project);
        },
      },
    );
    expect(result.code).toBe(5);
    const events = jsonLines(result.stdout);
    expect(events.filter((event) => event.type === 'error')).toEqual([
      expect.objectContaining({ code: 'apply/refused', session: events[0]?.session }),
    ]);
    expect(events.at(-1)).toMatchObject({ type: 'session.end', ok: false, reason: 'apply/refused' });
    expect(readdirSync(project)).toEqual([]);
    expect((await run(['sessions', '--all', '--json'])).code).toBe(0);
  });
});

describe('hints', () => {
  it('name only commands that there are', async () => {
    const { buildProgram } = await import('../../src/cli/program.ts');
    const names = buildProgram().commands.map((command) => command.name());
    const root = new URL('../../src/', import.meta.url).pathname;
    const wrong: string[] = [];
    for (const file of readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    )) {
      for (const [, word = ''] of readFileSync(join(root, file), 'utf8').matchAll(/"safe-coder ([a-z]+)/g)) {
        if (!names.includes(word)) wrong.push(`${file}: safe-coder ${word}`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('the environment of the tests', () => {
  it('is the only one the program sees', () => {
    expect(Object.keys(cliEnvironment('/h' as never)).sort()).toEqual([
      'HOME',
      'LANG',
      'PATH',
      'SAFE_CODER_HOME',
      'TERM',
    ]);
  });
});
