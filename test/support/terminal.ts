/** The built program in a real pseudo-terminal: keys in, screen out. */
import { spawn } from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { onTestFinished } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { cliCommand, cliEnvironment } from './cli.ts';

export interface TerminalOptions {
  home: HostPath;
  cwd: HostPath;
  env?: Record<string, string>;
  columns?: number;
  rows?: number;
  /** For each wait. Default: 20 s; a VM needs more. */
  patienceMs?: number;
}

export interface Terminal {
  type(keys: string): void;
  resize(columns: number, rows: number): void;
  kill(signal: string): void;
  /** What a person sees now and can scroll back to, without trailing blanks. */
  screen(): string;
  /** Everything that was written, escape sequences included. */
  raw(): string;
  /** Waits until the screen matches; fails with the screen when it doesn't in time. */
  waitFor(pattern: RegExp): Promise<void>;
  exited: Promise<number>;
}

/** Starts the program; it is killed when the test is over. */
export function openTerminal(args: readonly string[], options: TerminalOptions): Terminal {
  const { columns = 100, rows = 30 } = options;
  const screen = new xterm.Terminal({ cols: columns, rows, scrollback: 20_000, allowProposedApi: true });
  const [file, argv] = cliCommand(args);
  const child = spawn(file, argv, {
    cols: columns,
    rows,
    cwd: options.cwd,
    env: cliEnvironment(options.home, options.env),
    name: 'xterm-256color',
  });
  let written = '';
  child.onData((data) => {
    written += data;
    screen.write(data);
  });
  const exited = new Promise<number>((resolve) => child.onExit(({ exitCode }) => resolve(exitCode)));
  onTestFinished(() => {
    try {
      child.kill('SIGKILL');
    } catch {
      // It has ended already.
    }
    screen.dispose();
  });
  const read = () => {
    const { active } = screen.buffer;
    const lines = Array.from(
      { length: active.length },
      (_, row) => active.getLine(row)?.translateToString(true) ?? '',
    );
    return lines.join('\n').trimEnd();
  };
  return {
    type: (keys) => child.write(keys),
    resize: (newColumns, newRows) => {
      child.resize(newColumns, newRows);
      screen.resize(newColumns, newRows);
    },
    kill: (signal) => child.kill(signal),
    screen: read,
    raw: () => written,
    waitFor: async (pattern) => {
      for (const end = Date.now() + (options.patienceMs ?? 20_000); Date.now() < end; ) {
        if (pattern.test(read())) return;
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      throw new Error(`The screen never matched ${pattern}:\n${read()}`);
    },
    exited,
  };
}
