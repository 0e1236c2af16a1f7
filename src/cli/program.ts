/** The commands and their options. The actions load their code when they run, so that `--help` stays quick. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { SafeCoderError } from '../base/errors.ts';
import { levels, networks } from '../config/option-values.ts';

const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/** Options that choose and shape the sandbox. */
function sandboxOptions(command: Command): Command {
  return command
    .option('--path <dir>', 'the project (default: here)')
    .option('--demo', 'try it out without isolation: tools run on this machine, NOT ISOLATED')
    .addOption(new Option('--isolation <level>', 'isolation level').choices([...levels]))
    .addOption(
      new Option('--backend <name>', 'what starts the sandbox').choices([
        'qemu',
        'bubblewrap',
        'docker',
        'demo',
      ]),
    )
    .option('--image <name>', 'image of a Docker container (default: debian:12)')
    .option('--runtime <name>', "the Docker engine's runtime, e.g. runsc")
    .option('--cpus <n>', 'CPUs of the sandbox')
    .option('--memory <size>', 'memory of the sandbox, e.g. 2G')
    .option('--disk <size>', 'the most that the sandbox can write, e.g. 8G')
    .option('--pids <n>', 'the most processes in the sandbox')
    .addOption(new Option('--network <policy>', 'what may leave the sandbox').choices([...networks]))
    .option('--allow <host[:port]>', 'a host that may be reached besides (repeatable)', collect)
    .option('--share <path>', 'let a withheld file in (repeatable)', collect);
}

function modelOptions(command: Command): Command {
  return command
    .option('--model <provider/name>', 'the model')
    .option('--base-url <url>', "address of the model's API")
    .option('--record <file>', 'record the conversation, for replay/FILE');
}

function faceOptions(command: Command): Command {
  return command
    .option('--config <file>', 'your settings file')
    .option('--json', 'one JSON object a line on standard output, nothing else')
    .option('--plain', 'no colours, no moving lines')
    .option('--quiet', 'only what was asked for');
}

function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** Words before and after `--`, which the parser takes away. */
function splitAtDashes(words: readonly string[]): [string[], string[]] {
  const at = process.argv.indexOf('--');
  const before = words.length - (at < 0 ? 0 : process.argv.length - at - 1);
  return [words.slice(0, before), words.slice(before)];
}

function refuseMore(command: string, words: readonly string[], most: number): void {
  if (words.length <= most) return;
  throw new SafeCoderError('usage/bad-argument', `Too many words for ${command}: ${words.join(' ')}.`, {
    hint: 'Paths stand after "--".',
  });
}

const atLeast = (least: number) => (value: string) => {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number < least)
    throw new InvalidArgumentError(`It must be a whole number of ${least} or more.`);
  return number;
};

const count = atLeast(1);

const applyOption = () =>
  new Option('--apply <what>', 'which changes to apply at the end')
    .choices(['none', 'safe', 'all'])
    .default('none');

export function buildProgram(): Command {
  const program = new Command('safe-coder')
    .description(
      'Let a coding agent loose in a real virtual machine. Nothing reaches your disk until you accept it.',
    )
    .version(version, '-V, --version')
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ sortSubcommands: false });
  addWorkCommands(program);
  addRewindCommands(program);
  addLedgerCommands(program);
  addApplyCommands(program);
  addCareCommands(program);
  return program;
}

function addWorkCommands(program: Command): void {
  faceOptions(modelOptions(sandboxOptions(program.command('chat', { isDefault: true }))))
    .description('work with the agent: prompts, replies, tool calls as they run, review at the end')
    .action(async (options) => (await import('./commands/chat.ts')).chat(options));

  faceOptions(modelOptions(sandboxOptions(program.command('run'))))
    .argument('[task]', 'what to do; read from standard input when missing or "-"')
    .description('do one task without a person')
    .addOption(applyOption())
    .option('--max-turns <n>', 'the most model requests', count)
    .option('--max-cost <usd>', 'the most it may cost')
    .option('--timeout <duration>', 'the longest it may take, e.g. 10m')
    .option('--resume [id]', 'go on with a session (default: the newest of this project)')
    .option('--fork <entry>', 'go on from an entry of that session, in a new one')
    .action(async (task, options) => (await import('./commands/run.ts')).run(task, options));

  faceOptions(sandboxOptions(program.command('exec')))
    .argument('<command...>', 'the command and its arguments, after --')
    .passThroughOptions()
    .description("run a command in a fresh sandbox on a copy of the project; the exit code is the command's")
    .addOption(applyOption())
    .option('--timeout <duration>', 'the longest it may take, e.g. 10m')
    .action(async (command, options) => (await import('./commands/exec.ts')).exec(command, options));

  faceOptions(sandboxOptions(program.command('shell')))
    .description('an interactive shell in the sandbox')
    .addOption(applyOption())
    .action(async (options) => (await import('./commands/shell.ts')).shell(options));
}

function addRewindCommands(program: Command): void {
  const goingOn = (name: string) =>
    faceOptions(modelOptions(sandboxOptions(program.command(name))))
      .option('-p, --prompt <text>', 'do one task without a person, as run does')
      .addOption(applyOption());
  const session = new Option('--session <id>', 'the session (default: the newest of this project)');
  goingOn('resume')
    .argument('[id]', 'the session (default: the newest of this project)')
    .description('go on with a session where it ended')
    .action(async (id, options) => (await import('./commands/resume.ts')).resume(id, options));
  goingOn('fork')
    .argument('<entry>', 'where to begin: #7, 7, a label, the beginning of an id')
    .addOption(session)
    .description('a new session that begins at an entry of another one')
    .action(async (entry, options) => (await import('./commands/resume.ts')).fork(entry, options));
  const marking = (name: string) =>
    faceOptions(program.command(name))
      .option('--path <dir>', 'the project (default: here)')
      .addOption(session);
  marking('snapshot')
    .argument('<label>', 'the name')
    .description('name the last state of a session')
    .action(async (label, options) => (await import('./commands/rollback.ts')).snapshot(label, options));
  marking('rollback')
    .argument('<entry>', 'where to go back to: #7, 7, a label, the beginning of an id')
    .option('--files', 'only the files')
    .option('--conversation', 'only the conversation')
    .description('take a session back to an entry; the project on disk is not touched')
    .action(async (entry, options) => (await import('./commands/rollback.ts')).rollback(entry, options));
}

function addLedgerCommands(program: Command): void {
  const reading = (name: string) =>
    faceOptions(program.command(name)).option('--path <dir>', 'the project (default: here)');
  reading('sessions')
    .argument('[text]', 'only those with this text in title, id, project or model')
    .description('list sessions: state, entries, size')
    .option('--all', 'of all projects')
    .action(async (text, options) => (await import('./commands/sessions.ts')).sessions(text, options));
  reading('log')
    .argument('[id]', 'the session (default: the newest of this project)')
    .description('what happened, step by step')
    .option('-n, --number <n>', 'only the last so many entries', count)
    .option('--turn <n>', 'only entries of this turn', count)
    .option('--tool <name>', 'only calls of this tool')
    .option('--file <path>', 'only entries that changed this file, also under earlier names')
    .option('--verify', 'check the whole chain')
    .action(async (id, options) => (await import('./commands/log.ts')).log(id, options));
  reading('show')
    .argument(
      '<id-or-entry>',
      'an entry (#7, 7, a label, the beginning of its id), or a session when an entry follows',
    )
    .argument('[entry]', 'an entry of that session')
    .description('one entry: what ran and what it changed')
    .option('--stat', 'of its changes only paths and counts')
    .action(async (first, second, options) =>
      (await import('./commands/show.ts')).show(first, second, options),
    );
  reading('diff')
    .usage('[options] [id] [range] [-- paths...]')
    .argument('[words...]', 'a session, and a range of its entries: A..B, A.., ..B (default: base to final)')
    .description('what changed between two entries, as a patch that git takes')
    .option('--stat', 'only paths and counts')
    .option('--name-only', 'only paths')
    .addOption(new Option('--color <when>', 'colours').choices(['auto', 'always', 'never']).default('auto'))
    .action(async (words: string[], options) => {
      const [names, paths] = splitAtDashes(words);
      refuseMore('diff', names, 2);
      await (await import('./commands/diff.ts')).diff(names[0], names[1], paths, options);
    });
  reading('blame')
    .argument('<id-or-file>', 'the file, or a session when a file follows')
    .argument('[file]', 'a file of that session')
    .description('for each line of a file: the entry, tool call and prompt that wrote it')
    .option('--at <entry>', 'the file as it was in this entry (default: the newest)')
    .option('-L, --lines <from,to>', 'only these lines')
    .action(async (first, second, options) =>
      (await import('./commands/blame.ts')).blame(first, second, options),
    );
  reading('export')
    .argument('[id]', 'the session (default: the newest of this project)')
    .description("take a session's work, or its whole trail, elsewhere")
    .option('--patch', 'the changes as a patch, to standard output unless --output says otherwise')
    .option('--steps', 'with --patch: one mail for each entry, for git am')
    .option('--bundle', 'the whole ledger as a bundle that git clone takes')
    .option('--branch <name>', "the changes as commits on a new branch of the project's own repository")
    .option('--squash', 'with --branch: one commit instead of one for each entry')
    .option('--html', 'the session as one page to read')
    .option('--accepted', 'with --patch and --branch: only what was accepted in the review')
    .option('--output <file>', 'where to write')
    .option('--force', 'replace a file or move a branch that is there already')
    .action(async (id, options) => (await import('./commands/export.ts')).exportSession(id, options));
}

const onConflict = () =>
  new Option('--on-conflict <choice>', 'where both sides changed the same lines').choices([
    'mine',
    'theirs',
    'markers',
  ]);

function addApplyCommands(program: Command): void {
  const writing = (name: string) =>
    faceOptions(program.command(name))
      .option('--path <dir>', 'the project (default: here)')
      .option('--yes', 'do not ask');
  writing('review')
    .argument('[id]', 'the session (default: the newest of this project)')
    .description("decide about a session's changes: by file, hunk and line, on a screen or by these options")
    .option('--accept <glob>', 'accept these files (repeatable)', collect)
    .option('--reject <glob>', 'reject these files (repeatable)', collect)
    .option('--decisions <file>', 'decisions as JSON')
    .addOption(
      new Option(
        '--apply <what>',
        'of what is accepted (of everything, when nothing else is named) write this',
      ).choices(['none', 'safe', 'all']),
    )
    .option('--mouse', 'wheel and clicks, also inside tmux')
    .option('--no-mouse', 'neither')
    .action(async (id, options) => (await import('./commands/review.ts')).review(id, options));
  writing('apply')
    .argument('[id]', 'the session (default: the newest of this project)')
    .description('write to the project what the review accepted; without a review, all changes')
    .option('--accept <glob>', 'only these files (repeatable)', collect)
    .option('--reject <glob>', 'not these files (repeatable)', collect)
    .option('--decisions <file>', 'decisions as JSON')
    .option('--safe', 'only what carries no risk')
    .addOption(onConflict())
    .option('--allow-mass-delete', 'also when many files go')
    .option('--dry-run', 'say what would be done')
    .action(async (id, options) => (await import('./commands/apply.ts')).apply(id, options));
  writing('undo')
    .argument('[id]', 'the session (default: the newest of this project)')
    .description('take back what was applied')
    .addOption(onConflict())
    .option('--redo', 'do again what was taken back last')
    .option('--dry-run', 'say what would be done')
    .action(async (id, options) => (await import('./commands/undo.ts')).undo(id, options));
  writing('rm')
    .argument('[id...]', 'sessions to delete')
    .description('delete sessions: their ledgers and conversations')
    .option('--older-than <duration>', 'those last used longer ago, e.g. 30d; of this project')
    .option('--all', 'all, of all projects; with --older-than those')
    .action(async (ids, options) => (await import('./commands/rm.ts')).rm(ids, options));
}

function addCareCommands(program: Command): void {
  faceOptions(program.command('gc'))
    .description('give disk back: what killed processes left, unused caches, ledgers packed anew')
    .option('--older-than <duration>', 'also sessions last used longer ago, e.g. 30d')
    .option('--keep <n>', 'also sessions, but for the newest n of each project', atLeast(0))
    .option('--undo', 'of those sessions only what undo needs')
    .option('--dry-run', 'say what would be done')
    .option('--yes', 'do not ask')
    .action(async (options) => (await import('./commands/gc.ts')).gc(options));
  faceOptions(sandboxOptions(program.command('doctor')))
    .description('what works here, what does not, and the mend')
    .option('--prove', 'start each level, prove its isolation, and try a dozen ways to get out')
    .action(async (options) => (await import('./commands/doctor.ts')).doctor(options));
  faceOptions(sandboxOptions(program.command('setup')))
    .description('make ready what sessions need: guest kernel, images, a saved state to start from')
    .action(async (options) => (await import('./commands/setup.ts')).setup(options));
  faceOptions(sandboxOptions(modelOptions(program.command('config'))))
    .description('the settings as they hold here')
    .option('--origin', 'where each value came from')
    .option('--schema', 'JSON Schema of a settings file')
    .action(async (options) => (await import('./commands/config.ts')).config(options));
  faceOptions(sandboxOptions(program.command('tour')))
    .description('a guided session on a sample project; needs no key and no network')
    .option('--yes', 'do not wait for keys')
    .action(async (options) => (await import('./commands/tour.ts')).tour(options));
}
