import { describe, expect, it } from 'vitest';
import { openToolSandbox } from '../../support/tool-sandbox.ts';

describe('bash with a real shell', () => {
  it('returns output of both channels and the exit code', async () => {
    const { run } = await openToolSandbox();
    const result = await run('bash', { command: 'echo out; echo err >&2; exit 3' });
    expect(result).toMatchObject({ ok: false, exitCode: 3 });
    expect(result.text).toBe('out\nerr\n[exit code 3]');
  });

  it('keeps the directory over exit, failure, syntax errors and exec, and forgets it outside the workspace', async () => {
    const { run } = await openToolSandbox({ 'a/b/x': '', 'a b/y': '' });
    await run('bash', { command: 'cd a; exit 3' });
    expect((await run('bash', { command: 'pwd' })).text).toMatch(/\/a\n\[exit code 0\]$/);
    await run('bash', { command: 'cd b && false' });
    expect((await run('bash', { command: 'pwd' })).text).toMatch(/\/a\/b\n/);
    await run('bash', { command: 'cd ..; if then' });
    expect((await run('bash', { command: 'pwd' })).text).toMatch(/\/a\/b\n/);
    await run('bash', { command: 'cd ..; exec true' });
    expect((await run('bash', { command: 'pwd' })).text).toMatch(/\/a\/b\n/);
    await run('bash', { command: "cd '../../a b'" });
    expect((await run('bash', { command: 'pwd' })).text).toMatch(/\/a b\n/);
    expect((await run('bash', { command: 'cd /' })).text).toContain('outside the workspace');
    expect((await run('bash', { command: 'ls -d a/b' })).text).toContain('a/b');
  });

  it('goes on in the workspace root when the directory is gone', async () => {
    const { run } = await openToolSandbox({ 'a/x': '' });
    await run('bash', { command: 'cd a' });
    await run('bash', { command: 'rm -rf a', cwd: '.' });
    const result = await run('bash', { command: 'ls | wc -l' });
    expect(result.text).toMatch(/^0\n\[exit code 0\]\n\[.* is gone/);
  });

  it('keeps no variables, passes no arguments and gives an empty standard input', async () => {
    const { run } = await openToolSandbox();
    await run('bash', { command: 'export X=1; set -u' });
    expect((await run('bash', { command: 'echo "[$X] $# [$1]"; cat; echo end' })).text).toBe(
      '[] 0 []\nend\n[exit code 0]',
    );
  });

  it('survives quotes, here-documents, comments and line ends in a command', async () => {
    const { run } = await openToolSandbox();
    const command = `# say 'it'\ncat <<'X'\n"$1" \\n 'q'\nX\necho "done"\n`;
    expect((await run('bash', { command })).text).toBe(`"$1" \\n 'q'\ndone\n[exit code 0]`);
  });

  it('names the signal that ended it', async () => {
    const { run } = await openToolSandbox();
    expect((await run('bash', { command: 'kill -SEGV $$' })).text).toContain('SIGSEGV');
    expect((await run('bash', { command: 'sh -c "kill -9 \\$\\$"; exit $?' })).text).toContain(
      'exit code 137: ended by SIGKILL',
    );
  });

  it('keeps head and tail of a long output, and all of it in the sandbox', async () => {
    const { run, sandbox } = await openToolSandbox();
    const result = await run('bash', { command: 'seq 1 200000' });
    const lines = result.text.split('\n');
    expect(lines[0]).toBe('1');
    expect(result.text).toContain('\n200000\n[exit code 0]\n');
    expect(Buffer.byteLength(result.text)).toBeLessThan(52 * 1024);
    const path = /saved at (\S+\.log)/.exec(result.text)?.[1] ?? '';
    const whole = await sandbox.read(path, { maxBytes: 10_000_000 });
    expect(whole.bytes.toString()).toBe(`${Array.from({ length: 200_000 }, (_, i) => i + 1).join('\n')}\n`);
    expect((await run('read', { path, offset: 150_000, limit: 1 })).text).toContain('150000\t150000');
  });

  it('saves the whole of an output with many short or one long line as well', async () => {
    const { run, sandbox } = await openToolSandbox();
    for (const [command, size] of [
      ['yes | head -n 5000', 10_000],
      ["head -c 30000 /dev/zero | tr '\\0' x", 30_000],
    ] as const) {
      const result = await run('bash', { command });
      const path = /saved at (\S+\.log)/.exec(result.text)?.[1] ?? '';
      expect((await sandbox.read(path, { maxBytes: 100_000 })).bytes.length).toBe(size);
    }
  });

  it('moves a command that takes too long to the background, where it can be read and killed', async () => {
    const { run } = await openToolSandbox();
    const result = await run('bash', {
      command: 'echo begun; sleep 0.5; echo later; sleep 1000',
      timeout_ms: 200,
    });
    expect(result.text).toContain('begun');
    expect(result.text).toContain('job-1');
    await run('bash', { command: 'sleep 0.7' });
    const more = await run('bash_output', { job_id: 'job-1' });
    expect(more.text).toMatch(/^later\n/);
    const killed = await run('bash_kill', { job_id: 'job-1' });
    expect(killed.text).toContain('SIGTERM');
    expect(killed.text).not.toContain('running jobs');
  });

  it('starts a job at once and tells of it with every command', async () => {
    const { run } = await openToolSandbox();
    expect((await run('bash', { command: 'sleep 1000', background: true })).text).toContain('job-1');
    expect((await run('bash', { command: 'true' })).text).toContain('[running jobs: job-1 (sleep 1000)]');
    await run('bash_kill', { job_id: 'job-1' });
    expect((await run('bash', { command: 'exit 9', background: true })).text).toContain('exit code 9');
  });

  it('stops a command with SIGINT when it is cancelled', async () => {
    const { run, sandbox, root } = await openToolSandbox();
    const controller = new AbortController();
    const running = run(
      'bash',
      { command: 'trap "echo int > seen; exit 1" INT; touch ready; sleep 1000 & wait' },
      { signal: controller.signal },
    );
    while (true) {
      try {
        await sandbox.stat(`${root}/ready`);
        break;
      } catch {
        // Not there yet.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    expect((await sandbox.read(`${root}/seen`, { maxBytes: 10 })).bytes.toString()).toBe('int\n');
  });

  it('keeps its own files in the temporary folder of the guest, for nobody else to read', async () => {
    const { run, state, sandbox } = await openToolSandbox();
    const { text } = await run('bash', {
      command: 'seq 1 9999; cd "$TMPDIR"; stat -c %a */ */cwd; echo $PWD',
    });
    const folder = /\n(\/\S+)\n\[exit code 0\]/.exec(text)?.[1];
    expect(text).toContain('\n700\n600\n');
    expect(state.scratch?.at.folder.startsWith(`${folder}/safe-coder-`)).toBe(true);
    const modes = await run('bash', { command: 'stat -c %a "$TMPDIR"/*/out "$TMPDIR"/*/out/*' });
    expect(modes.text).toBe('700\n600\n[exit code 0]');
    const own = state.scratch?.at.folder ?? '';
    expect((await sandbox.stat(own)).stat.kind).toBe('directory');
    await state[Symbol.asyncDispose]();
    await expect(sandbox.stat(own)).rejects.toMatchObject({ details: { errnoName: 'ENOENT' } });
  });
});
