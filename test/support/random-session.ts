/** A whole session over a random project: real copy-in, the demo sandbox, the tools, the ledger, and a replayed model. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Backend } from '../../src/backends/backend.ts';
import { createDemoBackend } from '../../src/backends/demo/demo-backend.ts';
import type { SafeCoderEvent } from '../../src/base/events.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import type { Directories } from '../../src/config/directories.ts';
import { defaults } from '../../src/config/schema.ts';
import { createReplayModel } from '../../src/providers/replay-model.ts';
import { Session } from '../../src/session/session.ts';
import { writeReplay } from './project.ts';
import type { ToolCall } from './random-change.ts';
import type { RandomTree } from './random-tree.ts';
import { plant, walk } from './tree-on-disk.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;
const NEVER = new AbortController().signal;

/** The workspace after one tool call, as a walk of the disk found it, and the entry that recorded the call. */
export interface Moment {
  seq: number;
  contents: Map<string, string>;
}

export interface RandomSession extends AsyncDisposable {
  session: Session;
  /** The host's project. */
  project: HostPath;
  /** The guest's copy, which the demo keeps where it can be looked at. */
  workspace: string;
  directories: Directories;
  /** One for each call of {@link play}, in order. */
  moments: Moment[];
  /** Calls that the tools refused, with what they said. */
  failures: string[];
  /** Lets the model make these calls, one in each step. */
  play(): Promise<void>;
}

export interface RandomSessionOptions {
  /** Puts the project there; called with its empty folder. */
  prepare: (project: string) => void;
  calls?: readonly ToolCall[];
  backend?: Backend;
  cache?: HostPath;
}

export function demoBackend(): Backend {
  return createDemoBackend({ agentBinary: AGENT, path: '/usr/local/bin:/usr/bin:/bin' });
}

/** Starts a session on a tree. Whoever gets it disposes of it, and nothing is left. */
export function startOnTree(tree: RandomTree, calls: readonly ToolCall[]): Promise<RandomSession> {
  return startSession({ prepare: (project) => plant(project, tree), calls });
}

export async function startSession(options: RandomSessionOptions): Promise<RandomSession> {
  const folder = mkdtempSync(join(tmpdir(), 'sc-law-'));
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  try {
    return await openIn(folder, options, remove);
  } catch (error) {
    remove();
    throw error;
  }
}

async function openIn(
  folder: string,
  { prepare, calls = [], backend = demoBackend(), cache }: RandomSessionOptions,
  remove: () => void,
): Promise<RandomSession> {
  const project = join(folder, 'project') as HostPath;
  mkdirSync(project);
  prepare(project);
  const directories = makeDirectories(folder, cache);
  const replay = join(folder, 'replay.jsonl');
  writeReplay(replay, [...calls.map((call) => ({ calls: [call] })), { text: 'Done.' }]);
  const moments: Moment[] = [];
  const failures: string[] = [];
  let root = '';
  let workspace = '';
  const onEvent = (event: SafeCoderEvent) => {
    if (event.type === 'error') failures.push(`${event.code}: ${event.message}`);
    if (event.type !== 'tool.end' || workspace === '') return;
    if (!event.ok) failures.push(`${event.tool}: ${event.text}`);
    moments.push({ seq: event.seq, contents: walk(workspace) });
  };
  const session = await Session.start({
    face: 'run',
    title: 'law',
    project,
    home: '/nonexistent' as HostPath,
    directories,
    settings: { ...defaults, cpus: 1, memory: 512 * 2 ** 20, disk: 2 ** 30 },
    backend,
    // Known when the guest is there, asked for when the first call is made.
    model: createReplayModel(replay, {
      get workspace() {
        return root;
      },
    }),
    onEvent,
    signal: NEVER,
  });
  root = session.sandbox.workspace;
  if (session.isolation.level !== 'vm') workspace = root;
  return {
    session,
    project,
    workspace,
    directories,
    moments,
    failures,
    async play() {
      const ending = await session.prompt('Play.', { signal: NEVER, isInteractive: false });
      if (!ending.ok) failures.push(`the turn ended: ${ending.reason}`);
    },
    async [Symbol.asyncDispose]() {
      await session.end();
      remove();
    },
  };
}

function makeDirectories(folder: string, cache: HostPath | undefined): Directories {
  const directories = {
    state: join(folder, 'state') as HostPath,
    config: join(folder, 'config') as HostPath,
    cache: cache ?? (join(folder, 'cache') as HostPath),
  };
  for (const path of Object.values(directories)) mkdirSync(path, { recursive: true, mode: 0o700 });
  return directories;
}

/** A command run in a session's sandbox and recorded, outside of the agent's turns. Throws when it fails. */
export async function runIn(session: Session, argv: string[], stdin?: Buffer): Promise<void> {
  let said = '';
  const { end } = await session.exec(
    'exec',
    {
      argv,
      isTold: false,
      stdin: stdin !== undefined,
      onOutput: (chunk) => {
        said += chunk.toString('utf8');
      },
      attach: (process) => {
        if (stdin === undefined) return;
        process.write(stdin).then(
          () => process.closeStdin(),
          // The command ended without reading it all; its exit code tells.
          () => undefined,
        );
      },
    },
    NEVER,
  );
  if (end.exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${end.exitCode}: ${said}`);
}
