/**
 * `tour`: a full session on a sample project, with a recorded conversation and everything else real: the VM, the tools,
 * the ledger, the review, apply and undo.
 */
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { undo } from '../../apply/undo.ts';
import { EXIT, SafeCoderError } from '../../base/errors.ts';
import type { HostPath } from '../../base/path-bytes.ts';
import { createReplayModel } from '../../providers/replay-model.ts';
import { decideByPatterns } from '../../review/select.ts';
import type { Session } from '../../session/session.ts';
import { wrapWords } from '../../tui/word-wrap.ts';
import { ask } from '../confirm.ts';
import { type CommonFlags, type Context, createContext, withSignals } from '../context.ts';
import { endSession, showChanges } from '../finish-session.ts';
import { createFace, type Face, PROGRAM_ROOT, startSession } from '../start-session.ts';

const TASK = 'The test fails. Find out why and mend it.';
const FIXED = 'src/slugify.js';

export async function tour(flags: CommonFlags & { yes?: boolean }): Promise<void> {
  const context = createContext(flags);
  const face = createFace(context);
  using sample = new SampleProject();
  const guide = new Guide(context, flags.yes === true || context.json);
  process.exitCode = await withSignals(async (signal) => {
    guide.say(`Safe Coder tour. A sample project with a failing test was put into ${sample.root}.`);
    guide.say(
      'An agent will mend it in a virtual machine. Its replies are a recording; everything else is real.',
    );
    await guide.wait('start the VM');
    await using session = await startSession(context, face, {
      face: 'tour',
      title: TASK,
      project: sample.root,
      model: createReplayModel(join(PROGRAM_ROOT, 'examples/tour/conversation.jsonl'), {
        workspace: sample.root,
      }),
      signal,
    });
    await work(context, face, guide, session, signal);
    await applyOne(context, face, guide, session, sample, signal);
    await endSession(context, face, session);
    await takeBack(context, guide, session, sample, signal);
    guide.say(
      `That was all of it. The ledger stays until you delete it: safe-coder log ${session.id.slice(0, 8)}, safe-coder rm ${session.id.slice(0, 8)}`,
    );
    guide.say('Next, in a project of yours: safe-coder chat');
    return EXIT.done;
  });
}

async function work(
  context: Context,
  face: Face,
  guide: Guide,
  session: Session,
  signal: AbortSignal,
): Promise<void> {
  guide.say(`The task: "${TASK}"`);
  await guide.wait('let the agent work');
  const ending = await session.prompt(TASK, { signal, isInteractive: false });
  face.printer.finishLine();
  if (!ending.ok) {
    throw new SafeCoderError('session/unsuccessful', `The tour's agent stopped early: ${ending.reason}.`, {
      hint: 'The recorded conversation needs Node.js in the guest: /usr/bin/node, or its folder under "toolchain" in your settings.',
    });
  }
  if (!context.json) {
    guide.say('Every tool call above is an entry in a ledger outside the VM. What changed, from the ledger:');
  }
}

async function applyOne(
  context: Context,
  face: Face,
  guide: Guide,
  session: Session,
  sample: SampleProject,
  signal: AbortSignal,
): Promise<void> {
  const items = await showChanges(context, face, session);
  guide.say(
    'You asked for a mended test, not for an install script: it is marked, because it would run on your machine.',
  );
  await guide.wait(`accept only ${FIXED}`);
  const before = sample.read('package.json');
  const done = await session.apply(items, decideByPatterns(items, { accept: [FIXED] }), signal);
  if (
    done.applied.join() !== FIXED ||
    !sample.read(FIXED).includes(".join('-')") ||
    sample.read('package.json') !== before
  ) {
    throw new SafeCoderError(
      'bug',
      `The tour applied something else than it should have: ${done.applied.join(', ') || 'nothing'}.`,
    );
  }
  guide.say(`${FIXED} in ${sample.root} is mended, package.json is untouched. This is what was written:`);
  guide.show(sample.read(FIXED));
}

async function takeBack(
  context: Context,
  guide: Guide,
  session: Session,
  sample: SampleProject,
  signal: AbortSignal,
): Promise<void> {
  await guide.wait('undo it');
  const done = await undo({
    root: sample.root,
    stateDir: context.directories.state,
    session: session.id,
    signal,
  });
  if (done.applied.join() !== FIXED || sample.read(FIXED).includes(".join('-')")) {
    throw new SafeCoderError('bug', 'The tour could not take back what it applied.');
  }
  guide.say(`Undone: ${FIXED} is as it was before.`);
}

/** A copy of the sample project that is gone after the tour. */
class SampleProject implements Disposable {
  readonly #folder: string;
  readonly root: HostPath;

  constructor() {
    this.#folder = realpathSync(mkdtempSync(join(tmpdir(), 'safe-coder-tour-')));
    this.root = join(this.#folder, 'slug') as HostPath;
    cpSync(join(PROGRAM_ROOT, 'examples/tour/project'), this.root, { recursive: true });
  }

  read(path: string): string {
    return readFileSync(join(this.root, path), 'utf8');
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** The voice of the tour; waits for Enter between steps where a person can press it. */
class Guide {
  readonly #context: Context;
  readonly #isWaiting: boolean;

  constructor(context: Context, isHurried: boolean) {
    this.#context = context;
    this.#isWaiting = !isHurried && process.stdin.isTTY === true && process.stderr.isTTY === true;
  }

  say(text: string): void {
    const { err, json } = this.#context;
    const shown = err.isTerminal ? wrapWords(text, err.columns) : text;
    if (!json) err.write(`\n${err.style.cyan(shown)}\n`);
  }

  show(text: string): void {
    if (!this.#context.json) this.#context.err.write(text.replace(/^/gm, '    ').trimEnd().concat('\n'));
  }

  async wait(forWhat: string): Promise<void> {
    if (this.#isWaiting) await ask(this.#context.err.style.dim(`[Enter] ${forWhat} `), this.#context);
  }
}
