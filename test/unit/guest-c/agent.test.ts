import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const guest = fileURLToPath(new URL('../../../guest', import.meta.url));

/** Runs one program of the agent's own tests and returns its counts; its output shows what failed. */
function runSuite(program: string, args: string[]): { passed: number; failed: number; output: string } {
  const result = spawnSync(`${guest}/build/${program}`, args, {
    cwd: guest,
    encoding: 'utf8',
    timeout: 240_000,
  });
  const output = `${result.stdout}${result.stderr}`;
  const counts = /: (\d+) passed, (\d+) failed, \d+ skipped\s*$/.exec(output);
  return { passed: Number(counts?.[1] ?? 0), failed: Number(counts?.[2] ?? 1), output };
}

/** The C tests, run against the release build. `make -C guest test` runs them against a sanitized one as well. */
describe('the guest agent', () => {
  beforeAll(() => {
    execFileSync('make', ['-s', '-C', guest, 'all', 'test-programs'], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  });

  it('decodes every golden vector as written', () => {
    const result = runSuite('codec-test', ['vectors/frames.tsv']);
    expect(result, result.output).toMatchObject({ failed: 0 });
    expect(result.passed).toBeGreaterThan(5);
  });

  it.each([
    ['runs commands and leaves nothing of them behind', 'execution', 20],
    ['serves files without blocking or following what it must not', 'file', 15],
    ['reports changes and fetches their bytes', 'capture', 8],
    ['refuses a host that breaks the protocol', 'hostile', 12],
    ['sets up the world it is told to', 'setup', 3],
    ['carries clients of its port to the host', 'relay', 8],
  ])('%s', { timeout: 300_000 }, (_title, suite, least) => {
    const result = runSuite('agent-test', ['build/safe-coder-guest', suite]);
    expect(result, result.output).toMatchObject({ failed: 0 });
    expect(result.passed).toBeGreaterThanOrEqual(least);
  });
});
