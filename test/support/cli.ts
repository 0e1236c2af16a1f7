/** The built program as a user's shell would run it: own home, own environment, nothing of this process's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { killGroup } from '../../src/base/process.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = join(root, 'dist/cli/main.js');

export interface CliOptions {
  home: HostPath;
  cwd: HostPath;
  env?: Record<string, string>;
  input?: string;
  /** A command that runs the program: a user to become, a namespace to be in. */
  through?: readonly string[];
  /** Called with all of standard output so far, whenever it grows. */
  onStdout?: (text: string, child: ChildProcess) => void;
}

export interface CliResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** The environment that every run starts from; the cache of images and states is shared between tests. */
export function cliEnvironment(home: HostPath, more: Record<string, string> = {}): Record<string, string> {
  const { PATH = '/usr/bin:/bin' } = process.env;
  return {
    PATH,
    HOME: home,
    SAFE_CODER_HOME: join(home, 'sc'),
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    ...more,
  };
}

export function cliCommand(args: readonly string[]): [string, string[]] {
  return [process.execPath, [main, ...args]];
}

/** Runs the program to its end. Nothing of its group is left when the test is over. */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const [program, argv] = cliCommand(args);
  const [file = program, ...rest] = [...(options.through ?? []), program, ...argv];
  return new Promise((resolve, reject) => {
    const child = spawn(file, rest, {
      cwd: options.cwd,
      env: cliEnvironment(options.home, options.env),
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    onTestFinished(() => killGroup(child.pid));
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      options.onStdout?.(stdout, child);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.stdin.on('error', () => {
      // EPIPE: the program ended without reading its input.
    });
    child.stdin.end(options.input ?? '');
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
}

/** The objects of a `--json` run. Throws when any line is no JSON object with `type`, `at` and `session`. */
export function jsonLines(stdout: string): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const value = JSON.parse(line) as Record<string, unknown>;
      for (const field of ['type', 'at', 'session']) {
        if (!(field in value)) throw new Error(`a line without ${field}: ${line}`);
      }
      return value;
    });
}
