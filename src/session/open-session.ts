/** How sessions come to run: a new one, and one that goes on. Both hand over everything that ends with the session. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { identifyRoot } from '../apply/host-root.ts';
import { CleanupStack } from '../base/cleanup-stack.ts';
import { SafeCoderError } from '../base/errors.ts';
import type { Emit, IsolationInfo } from '../base/events.ts';
import { type HostPath, showPath } from '../base/path-bytes.ts';
import type { Entry } from '../ledger/ledger.ts';
import { openLedgerWriter } from '../ledger/writer.ts';
import { openSandbox } from '../sandbox/open.ts';
import type { Capture } from '../sandbox/sandbox.ts';
import { baseTreeOf } from './base-tree.ts';
import { bringToTree } from './bring-to-tree.ts';
import { Conversation } from './conversation.ts';
import { launchSpec } from './launch-spec.ts';
import { captureLimits, ledgerOptions } from './ledger-settings.ts';
import { openNetwork } from './network.ts';
import { describeIsolation, ProjectCopy } from './project-copy.ts';
import { unchangedFacts } from './rewind.ts';
import { RunFolder, sweepRunFolders } from './run-folder.ts';
import { createEmit, type SessionOptions, type SessionParts } from './session-parts.ts';
import { type SessionRecord, SessionStore, type StoredSession } from './store.ts';

/**
 * Copies the project in, starts the guest, proves its isolation and writes the initial entry. Throws what those throw; on
 * any throw nothing is left running and no session is left behind.
 */
export async function openNew(options: SessionOptions): Promise<SessionParts> {
  const now = options.now ?? (() => new Date());
  sweepRunFolders(options.directories.state, Date.now());
  await using started = new CleanupStack();
  const copy = started.use(ProjectCopy.open(options.project, options));
  const { face, title } = options;
  const folder = new SessionStore(options.directories.state).create(
    {
      project: copy.root,
      root: identifyRoot(copy.root),
      face,
      title: title.slice(0, 500),
      ...(options.model ? { model: options.model.id } : {}),
    },
    now(),
  );
  started.defer(() => folder[Symbol.dispose]());
  const discard = folder.discard.bind(folder);
  try {
    const emit = createEmit(options, folder, now);
    const run = started.use(RunFolder.create(options.directories.state));
    const ledger = started.use(await copy.createLedger(folder, await ledgerOptions(options, emit)));
    const spec = launchSpec(options, run, copy.root);
    const source = copy.source(ledger, run.path, emit);
    const network = openNetwork(options, emit);
    if (network) started.use(network);
    const sandbox = started.use(
      await openSandbox({
        backend: options.backend,
        spec,
        source,
        signal: options.signal,
        emit,
        limits: captureLimits(options.settings),
        ...(network ? { egress: network.outlet } : {}),
      }),
    );
    const initial = await copy.commitInitial(ledger, sandbox.isolation, now());
    const conversation = new Conversation(folder);
    conversation.catchUp([initial]);
    folder.update({
      isolation: sandbox.isolation,
      base: initial.tree,
      ...(copy.gitHead !== undefined && { gitHead: copy.gitHead }),
    });
    const parts = { folder, run, copy, ledger, sandbox, conversation, initial: initial.tree, emit, network };
    tellStart(parts, options, initial.tree);
    started.release();
    return parts;
  } catch (error) {
    discard();
    throw error;
  }
}

/**
 * Goes on with a stored session: its ledger, conversation and base are the same; the project is copied in as it is now and
 * brought to the last entry's tree, and the isolation is proved anew and recorded. Throws `session/busy` while it runs,
 * `session/project-gone`, and what a start throws; the session then is as it was.
 */
export async function openAgain(options: SessionOptions, stored: StoredSession): Promise<SessionParts> {
  const now = options.now ?? (() => new Date());
  sweepRunFolders(options.directories.state, Date.now());
  await using started = new CleanupStack();
  requireProject(stored.record);
  const folder = started.use(new SessionStore(options.directories.state).reopen(stored));
  const copy = started.use(ProjectCopy.open(folder.record.project as HostPath, options));
  const emit = createEmit(options, folder, now);
  const ledger = started.use(await openLedgerWriter(folder.ledger, await ledgerOptions(options, emit)));
  const entries = await ledger.entries();
  const [first, head] = [entries[0], entries.at(-1)];
  if (first === undefined || head === undefined) throw noEntries(folder.record);
  const run = started.use(RunFolder.create(options.directories.state));
  const network = openNetwork(options, emit);
  if (network) started.use(network);
  const sandbox = started.use(
    await openSandbox({
      backend: options.backend,
      spec: launchSpec(options, run, copy.root),
      source: copy.source(ledger, run.path, emit, { isAgain: true }),
      signal: options.signal,
      emit,
      limits: captureLimits(options.settings),
      ...(network ? { egress: network.outlet } : {}),
    }),
  );
  const { files } = copy.snapshot;
  const found = await bringToTree({ sandbox, ledger, files }, head.tree);
  const conversation = new Conversation(folder);
  conversation.catchUp(entries);
  conversation.closeOpenCalls(INTERRUPTED);
  const resumed = await ledger.appendTree(resumeFacts(head, found, sandbox.isolation, now()));
  conversation.catchUp([resumed]);
  const { ignored } = folder.record;
  folder.goOn({ isolation: sandbox.isolation, ...(options.model ? { model: options.model.id } : {}) });
  const parts = {
    folder,
    run,
    copy,
    ledger,
    sandbox,
    conversation,
    initial: first.tree,
    found,
    emit,
    network,
  };
  const base = await baseTreeOf(folder.record, ledger);
  tellStart(parts, options, base);
  await warnAboutHost(parts, base);
  warnAboutIgnored(emit, copy.root, ignored);
  if (entries.some(({ trailers }) => trailers.gitChanged)) emit(GIT_GONE);
  started.release();
  return parts;
}

const INTERRUPTED =
  'Interrupted: the session ended while this ran. The workspace is as it was before this call; background jobs are gone.';

const GIT_GONE = {
  type: 'warning',
  code: 'session/git-gone',
  message:
    "What the agent did in .git is in no entry: this sandbox has the project's own, without the agent's commits.",
} as const;

function resumeFacts(head: Entry, found: Capture, isolation: IsolationInfo, at: Date) {
  return {
    ...unchangedFacts(head),
    ...describeIsolation(isolation),
    skipped: found.skipped,
    ignored: found.ignored.count,
    gitChanged: found.gitChanged,
    title: 'Resumed in a new sandbox',
    kind: 'resume' as const,
    turn: head.trailers.turn,
    at,
  };
}

function tellStart({ copy, sandbox, emit }: SessionParts, { model }: SessionOptions, base: string): void {
  emit({
    type: 'session.start',
    path: copy.root,
    isolation: sandbox.isolation,
    ...(model ? { model: model.id } : {}),
    base,
    withheld: copy.withheld,
  });
  for (const warning of copy.warnings()) emit(warning);
}

/** The very folder that the session began in: another one's files must not be taken for its own. */
function requireProject({ id, project, root }: SessionRecord): void {
  const hint = `Put it back where it was. What the session did is still there: safe-coder diff ${id.slice(0, 8)}`;
  if (!existsSync(project)) {
    throw new SafeCoderError('session/project-gone', `The project ${showPath(project)} is gone.`, { hint });
  }
  const there = identifyRoot(project as HostPath);
  if (root === undefined || (there.dev === root.dev && there.ino === root.ino)) return;
  throw new SafeCoderError(
    'session/project-gone',
    `${showPath(project)} is not the folder that session ${id} began in: it was moved or replaced.`,
    { hint },
  );
}

function noEntries({ id }: SessionRecord): SafeCoderError {
  return new SafeCoderError('session/damaged', `Session ${id} has no entry in its ledger: it never began.`, {
    hint: `Remove it: safe-coder rm ${id}`,
  });
}

/** What the person has done meanwhile is not in the sandbox: apply merges it. */
async function warnAboutHost({ copy, ledger, emit }: SessionParts, base: string): Promise<void> {
  const before = await ledger.files(base);
  const now = copy.snapshot.files;
  let count = 0;
  for (const [path, { oid, mode }] of now) {
    const was = before.get(path);
    if (was?.oid !== oid || was.mode !== mode) count++;
  }
  for (const path of before.keys()) if (!now.has(path)) count++;
  if (count === 0) return;
  emit({
    type: 'warning',
    code: 'session/host-changed',
    message: `${count === 1 ? '1 file' : `${count} files`} of the project changed since this session began. The sandbox holds the session's own state; apply merges both.`,
  });
}

/** What rules ignore is in no entry: what the last sandbox made of it is gone with that sandbox. */
function warnAboutIgnored(emit: Emit, root: HostPath, ignored: SessionRecord['ignored']): void {
  if (ignored === undefined || ignored.count === 0) return;
  const gone = ignored.examples.filter((path) => !existsSync(join(root, path)));
  if (gone.length === 0) return;
  emit({
    type: 'warning',
    code: 'session/ignored-gone',
    message: `Ignored files are in no entry, so these are gone with the last sandbox: ${gone.map(showPath).join(', ')}${ignored.count > gone.length ? ' and perhaps more' : ''}.`,
    hint: 'Install or build them again.',
  });
}
