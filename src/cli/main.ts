#!/usr/bin/env node
/** The program's entry: arguments in, exit code out. Only what a command needs is loaded. */
import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { EXIT, type ExitCode, errnoOf, SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { buildProgram } from './program.ts';
import { reportError } from './report-error.ts';

/** The oldest Node that this is tested with. */
const OLDEST_NODE = [22, 19] as const;

async function main(): Promise<number> {
  if (!isNodeRecent(process.versions.node)) {
    process.stderr.write(
      `safe-coder: Node ${process.versions.node} is too old; ${OLDEST_NODE.join('.')} or newer is needed.\n  The launcher ./safe-coder brings its own.\n`,
    );
    return EXIT.environment;
  }
  // What a command loads is compiled once per machine; where this can't be kept, it is compiled again.
  enableCompileCache(fileURLToPath(new URL('../.compile-cache', import.meta.url)));
  const program = buildProgram();
  try {
    refuseUnknownCommand(program, process.argv[2]);
    await program.parseAsync(process.argv);
    return typeof process.exitCode === 'number' ? process.exitCode : EXIT.done;
  } catch (error) {
    const usage = usageExitCode(error);
    if (usage !== undefined) return usage;
    const failure = toSafeCoderError(error);
    reportError(failure, { json: process.argv.includes('--json'), environment: process.env });
    return failure.exitCode;
  }
}

function isNodeRecent(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
}

/** Without this, a misspelt command would be an argument of `chat`, the command without a name. */
function refuseUnknownCommand(program: Command, word: string | undefined): void {
  const names = [...program.commands.map((command) => command.name()), 'help'];
  if (word === undefined || word.startsWith('-') || names.includes(word)) return;
  throw new SafeCoderError('usage/bad-argument', `There is no command "${word}".`, {
    hint: `Did you mean "${nearest(word, names)}"? "safe-coder --help" lists all commands.`,
  });
}

/** Commander has told the person already: help and version are 0, everything else is wrong usage. */
function usageExitCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || error.name !== 'CommanderError') return undefined;
  return 'exitCode' in error && error.exitCode === 0 ? EXIT.done : EXIT.usage;
}

/**
 * Output that can't be written any more, because its reader went away (`safe-coder log | head`) or a disk is full: a session
 * that runs is ended in order, as by SIGHUP; everything else has nobody left to tell and ends at once.
 */
function endWithout(stream: NodeJS.WriteStream, code: ExitCode): void {
  stream.write = () => true;
  if (!process.emit('SIGHUP', 'SIGHUP')) process.exit(code);
}

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error) => {
    const isClosed = errnoOf(error) === 'EPIPE';
    if (!isClosed && stream === process.stdout)
      process.stderr.write(`safe-coder: Standard output can't be written: ${errnoOf(error)}.\n`);
    endWithout(stream, isClosed ? EXIT.done : EXIT.environment);
  });
}

process.exitCode = await main();
