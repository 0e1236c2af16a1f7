/** `export`: a session's work or its whole trail, taken elsewhere. */
import { join } from 'node:path';
import { exportBranch } from '../../apply/export-branch.ts';
import { SafeCoderError } from '../../base/errors.ts';
import { type HostPath, showPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { formatReport } from '../../headless/report.ts';
import { writeBundle } from '../../ledger/export-bundle.ts';
import type { LeftOut } from '../../session/export-changes.ts';
import { commitMessage, mailPieces, patchPieces } from '../../session/export-forms.ts';
import { type CommonFlags, type Context, createContext, withSignals } from '../context.ts';
import { collectWork, type ExportWork } from '../export-work.ts';
import { writeOutputFile, writePieces } from '../output-file.ts';
import { reportOf } from '../session-report.ts';
import { type OpenedStoredSession, openStored } from '../stored-session.ts';
import { writeStream } from '../write-stream.ts';

interface ExportFlags extends CommonFlags {
  patch?: boolean;
  bundle?: boolean;
  branch?: string;
  html?: boolean;
  output?: string;
  force?: boolean;
  accepted?: boolean;
  steps?: boolean;
  squash?: boolean;
}

interface Request {
  context: Context;
  stored: OpenedStoredSession;
  flags: ExportFlags;
  signal: AbortSignal;
}

/** What was made, for people and for `--json`. */
interface Made {
  form: 'patch' | 'bundle' | 'branch' | 'html';
  file?: string;
  leftOut?: readonly LeftOut[];
  more?: Record<string, unknown>;
  sentence: string;
}

export async function exportSession(id: string | undefined, flags: ExportFlags): Promise<void> {
  const make = chooseForm(flags);
  const context = createContext(flags);
  await using stored = await openStored(context, id);
  tell(
    context,
    stored.session.record.id,
    await withSignals((signal) => make({ context, stored, flags, signal })),
  );
}

function chooseForm(flags: ExportFlags): (request: Request) => Promise<Made> {
  const forms = [
    flags.patch && makePatch,
    flags.bundle && makeBundle,
    flags.branch !== undefined && makeBranch,
    flags.html && makeReport,
  ].filter((form) => form !== false && form !== undefined);
  const [form] = forms;
  if (form === undefined || forms.length > 1)
    throw badFlags('Choose one of --patch, --bundle, --branch NAME and --html.');
  const isWork = form === makePatch || form === makeBranch;
  if (flags.accepted && !isWork) throw badFlags('--accepted goes with --patch and --branch.');
  if (flags.steps && form !== makePatch) throw badFlags('--steps goes with --patch.');
  if (flags.squash && form !== makeBranch) throw badFlags('--squash goes with --branch.');
  if (flags.accepted && flags.steps) throw badFlags('--accepted and --steps exclude each other.');
  return form;
}

async function makePatch({ context, stored, flags }: Request): Promise<Made> {
  const work = await collectWork(stored, { accepted: flags.accepted === true });
  const steps = flags.steps ? await work.steps() : undefined;
  const leftOut = steps ? steps.flatMap((step) => step.leftOut) : work.whole.leftOut;
  const pieces = steps ? mailPieces(steps, work.read) : patchPieces(work.whole, work.read);
  if (!steps && work.whole.changes.length === 0 && work.base !== work.initial.tree && leftOut.length === 0) {
    context.err.write('All of it is in the project already. --steps exports what each entry did.\n');
  }
  const { output } = flags;
  if (output === undefined || output === '-') {
    for await (const piece of pieces) await writeStream(process.stdout, piece);
    return { form: 'patch', leftOut, sentence: '' };
  }
  const file = await writeOutputFile(output, { force: flags.force === true }, (path) =>
    writePieces(path, pieces),
  );
  const how = steps ? 'git am' : 'git apply';
  return {
    form: 'patch',
    file,
    leftOut,
    sentence: `Wrote ${showPath(file)}. Apply it with: ${how} ${showPath(output)}`,
  };
}

async function makeBundle({ stored, flags, signal }: Request): Promise<Made> {
  const { ledger, session } = stored;
  const entries = await ledger.entries();
  const name = flags.output ?? `safe-coder-${session.record.id}.bundle`;
  const file = await writeOutputFile(name, { force: flags.force === true }, (path) =>
    writeBundle({
      ledgerDir: join(session.folder, 'ledger') as HostPath,
      objectFormat: ledger.objectFormat,
      entries,
      file: path,
      signal,
    }),
  );
  const sentence = `Wrote ${showPath(file)}: ${entries.length} entries. Look at them with: git clone ${showPath(name)}`;
  return { form: 'bundle', file, more: { entries: entries.length }, sentence };
}

async function makeBranch({ stored, flags, signal }: Request): Promise<Made> {
  const { branch = '' } = flags;
  const { project, gitHead } = stored.session.record;
  const work = await collectWork(stored, { accepted: flags.accepted === true });
  const isOne = flags.squash || flags.accepted;
  const steps = isOne ? [work.asOneStep()] : await work.steps();
  const made = await exportBranch({
    project: project as HostPath,
    branch,
    force: flags.force === true,
    start: gitHead,
    base: await stored.ledger.files(isOne ? work.base : work.initial.tree),
    commits: steps.map((step) => ({ message: commitMessage(step), at: step.at, changes: step.changes })),
    read: work.read,
    signal,
  });
  const leftOut = [...steps.flatMap((step) => step.leftOut), ...made.leftOut];
  const { commit, commits, uncommitted } = made;
  return {
    form: 'branch',
    leftOut,
    more: { branch, commit, commits, uncommitted },
    sentence: describeBranch(branch, made, work),
  };
}

function describeBranch(
  branch: string,
  { commit, commits, uncommitted }: { commit: string; commits: number; uncommitted: readonly string[] },
  work: ExportWork,
): string {
  const first =
    uncommitted.length === 0
      ? ''
      : `\n  The first holds work that was not committed when the session began: ${uncommitted.length} ${uncommitted.length === 1 ? 'file' : 'files'}.`;
  const what = work.isAccepted ? ' of what was accepted' : '';
  return `Branch ${branch} is at ${commit.slice(0, 10)}: ${commits === 1 ? '1 commit' : `${commits} commits`}${what}.${first}`;
}

async function makeReport({ context, stored, flags }: Request): Promise<Made> {
  const name = flags.output ?? `safe-coder-${stored.session.record.id}.html`;
  const pieces = formatReport(await reportOf(context, stored));
  if (name === '-') {
    for await (const piece of pieces) await writeStream(process.stdout, Buffer.from(piece));
    return { form: 'html', sentence: '' };
  }
  const file = await writeOutputFile(name, { force: flags.force === true }, (path) =>
    writePieces(path, pieces),
  );
  return { form: 'html', file, sentence: `Wrote ${showPath(file)}.` };
}

/** Where standard output is the export itself, only what is left out is told, beside it. */
function tell({ json, out, err, quiet }: Context, session: string, made: Made): void {
  const { form, file, leftOut, more, sentence } = made;
  const named = new Map(leftOut?.map((each) => [each.path, each]));
  if (json && sentence !== '') {
    const row = {
      type: 'export',
      at: new Date().toISOString(),
      session,
      form,
      file,
      ...more,
      leftOut: [...named.values()],
    };
    out.write(`${toInertJson(row)}\n`);
    return;
  }
  if (sentence !== '' && !quiet) err.write(`${sentence}\n`);
  for (const { path, reason } of named.values()) err.write(`Left out: ${showPath(path)} (${reason})\n`);
}

function badFlags(message: string): SafeCoderError {
  return new SafeCoderError('usage/bad-argument', message, {
    hint: '"safe-coder export --help" says what each does.',
  });
}
