/** The Docker backend: a container of an engine for each sandbox, from any image, here or on another machine. */
import { readFile } from 'node:fs/promises';
import { SafeCoderError } from '../../base/errors.ts';
import { delay, once, throwIfCancelled, withDeadline } from '../../base/lifetime.ts';
import type { HostPath } from '../../base/path-bytes.ts';
import type { Backend, BackendMissing, Launched, LaunchSpec } from '../backend.ts';
import { AttachedStream } from './attached-stream.ts';
import {
  AGENT,
  type ContainerWish,
  describeContainer,
  environmentOf,
  planAfter,
  planBefore,
} from './container.ts';
import { Engine, objectOf } from './engine.ts';
import type { EngineAddress } from './engine-address.ts';
import { removeForsaken } from './forsaken.ts';
import { type EngineFacts, examine } from './missing.ts';
import { readTarFile, type TarFile, writeTar } from './tar.ts';
import { type ImageUsers, usersOf } from './users.ts';

export interface DockerOptions {
  engine: EngineAddress;
  image: string;
  /** An engine's runtime by its name there, such as `runsc`. Default: the engine's own. */
  runtime?: string;
  /** The guest agent, built statically. */
  agentBinary: HostPath;
  /** ripgrep, static. */
  rgBinary: HostPath;
  /** Called when a container runs without a limit that was asked for, or what is said to the engine can be read. */
  onWarning?: (message: string) => void;
}

const CREATE_MS = 120_000;
const LEAVE_MS = 3_000;
const KILL_MS = 10_000;
const TAIL_BYTES = 8192;
const OWN_FOLDER = 'opt/safe-coder';

/** Creates the backend; looks at nothing yet. */
export function createDockerBackend(options: DockerOptions): Backend {
  const engine = new Engine(options.engine);
  const look = (signal?: AbortSignal) => examine(engine, options, signal);
  return {
    name: 'docker',
    level: 'container',
    async missing(): Promise<BackendMissing | undefined> {
      const found = await look();
      return 'reason' in found ? found : undefined;
    },
    async launch(spec, signal) {
      throwIfCancelled(signal);
      const facts = await look(signal);
      if ('reason' in facts)
        throw new SafeCoderError('backend/unavailable', facts.reason, { hint: facts.mend });
      if (options.engine.isPlain) {
        options.onWarning?.(
          `What is said to the engine at ${options.engine.name} is not encrypted: the project can be read on the way.`,
        );
      }
      await removeForsaken(engine, Date.now(), signal);
      const { id, limitsDisk } = await create(engine, { spec, facts, options, signal });
      if (!limitsDisk) {
        options.onWarning?.(
          "The container's disk is not limited as a whole: the engine's storage driver can't. No file grows beyond the limit.",
        );
      }
      try {
        return await start(engine, id, { spec, facts, options, signal });
      } catch (error) {
        await remove(engine, id);
        throw error;
      }
    },
  };
}

interface Launch {
  spec: LaunchSpec;
  facts: EngineFacts;
  options: DockerOptions;
  signal: AbortSignal;
}

/** Creates the container with every limit that the engine can keep. */
async function create(engine: Engine, launch: Launch): Promise<{ id: string; limitsDisk: boolean }> {
  const { spec, facts, options, signal } = launch;
  const wish: ContainerWish = {
    spec,
    image: facts.imageId,
    ...(options.runtime === undefined ? {} : { runtime: options.runtime }),
    engineCpus: facts.cpus,
    limitsDisk: true,
    hidesWorkspace: false,
  };
  const made = await createOne(engine, wish, signal).catch((error: unknown) => {
    if (!(error instanceof SafeCoderError) || !/storage-opt|quota/i.test(error.message)) throw error;
    wish.limitsDisk = false;
    return createOne(engine, wish, signal);
  });
  const inImage = await engine.ask('HEAD', `/containers/${made}/archive`, {
    query: { path: spec.workspace },
    signal,
  });
  if (inImage.status === 404) return { id: made, limitsDisk: wish.limitsDisk };
  await remove(engine, made);
  return { id: await createOne(engine, { ...wish, hidesWorkspace: true }, signal), limitsDisk: false };
}

async function createOne(engine: Engine, wish: ContainerWish, signal: AbortSignal): Promise<string> {
  const answer = await engine.call('POST', '/containers/create', {
    query: { name: `safe-coder-${wish.spec.id}` },
    json: describeContainer(wish),
    timeoutMs: CREATE_MS,
    signal,
  });
  const { Id } = objectOf(answer);
  if (typeof Id === 'string' && /^[0-9a-f]{64}$/.test(Id)) return Id;
  throw new SafeCoderError(
    'backend/boot-failed',
    'The Docker engine made a container and gave no id for it.',
  );
}

async function start(
  engine: Engine,
  id: string,
  { spec, facts, options, signal }: Launch,
): Promise<Launched> {
  const users = await putFiles(engine, id, spec, options, signal);
  let complaints = '';
  const { connection, head } = await engine.attach(id, signal);
  const channel = new AttachedStream(connection, head, (bytes) => {
    complaints = (complaints + bytes.toString('utf8')).slice(-TAIL_BYTES);
  });
  // Whoever reads the channel hears of its failure; until then, and afterwards, it must not end the process.
  channel.on('error', () => undefined);
  const watching = new AbortController();
  const ended = watch(engine, id, watching.signal);
  try {
    await engine.call('POST', `/containers/${id}/start`, { signal });
  } catch (error) {
    watching.abort();
    channel.destroy();
    throw error;
  }
  const end = once(async () => {
    // The agent ends when its connection does, and the engine removes what has ended; force is for one that doesn't.
    channel.destroy();
    await withDeadline(ended, LEAVE_MS, () => new Error('late')).catch(() => remove(engine, id));
    // An engine that doesn't say so within its time is not waited for.
    await withDeadline(ended, KILL_MS, () => new Error('late')).catch(() => watching.abort());
  });
  return {
    channel,
    info: {
      backend: 'docker',
      level: 'container',
      accel: 'none',
      workspace: spec.workspace,
      capture: 'walk',
      env: environmentOf(facts.imageEnv, users.user),
      who: { uid: spec.uid, gid: spec.gid },
      hasOwnImage: true,
    },
    setup: planBefore(spec, users.user),
    populate: { by: 'unpack', into: spec.workspace, after: planAfter(spec) },
    restored: false,
    consoleTail: async () => tailOf(complaints),
    ended,
    end,
    [Symbol.asyncDispose]: end,
  };
}

/** Puts the agent, ripgrep and the user into the container, which doesn't run yet. */
async function putFiles(
  engine: Engine,
  id: string,
  spec: LaunchSpec,
  { agentBinary, rgBinary }: DockerOptions,
  signal: AbortSignal,
): Promise<ImageUsers> {
  const [agent, rg, passwd, group] = await Promise.all([
    readFile(agentBinary),
    readFile(rgBinary),
    fileOf(engine, id, '/etc/passwd', signal),
    fileOf(engine, id, '/etc/group', signal),
  ]);
  const users = usersOf(passwd, group, spec);
  const text = (path: string, content: string | undefined): TarFile[] =>
    content === undefined ? [] : [{ path, mode: 0o644, bytes: Buffer.from(content, 'latin1') }];
  const tar = writeTar([
    { path: AGENT.slice(1), mode: 0o755, bytes: agent },
    { path: `${OWN_FOLDER}/bin/rg`, mode: 0o755, bytes: rg },
    ...text('etc/passwd', users.passwd),
    ...text('etc/group', users.group),
  ]);
  await engine.call('PUT', `/containers/${id}/archive`, {
    query: { path: '/' },
    tar,
    signal,
    timeoutMs: CREATE_MS,
  });
  return users;
}

/** A file's text, byte for byte; empty when the image has none. */
async function fileOf(engine: Engine, id: string, path: string, signal: AbortSignal): Promise<string> {
  const { status, body } = await engine.ask('GET', `/containers/${id}/archive`, { query: { path }, signal });
  return (status === 200 ? readTarFile(body)?.toString('latin1') : undefined) ?? '';
}

/** Resolves when the container is gone, with the reason. */
async function watch(engine: Engine, id: string, signal: AbortSignal): Promise<string> {
  try {
    const answer = await engine.call('POST', `/containers/${id}/wait`, {
      query: { condition: 'removed' },
      timeoutMs: 0,
      signal,
    });
    return `the container ended (exit code ${Number(objectOf(answer).StatusCode)})`;
  } catch (error) {
    return `the container is out of reach: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Ends and removes it, whatever state it is in. Never rejects: what can't be removed now ends with its connection. */
async function remove(engine: Engine, id: string): Promise<void> {
  const query = { force: '1', v: '1' };
  for (let attempt = 0; attempt < 20; attempt++) {
    const status = await engine.ask('DELETE', `/containers/${id}`, { query, timeoutMs: KILL_MS }).then(
      (answer) => answer.status,
      () => 0,
    );
    // 409: it is being removed already.
    if (status === 404 || status === 0) return;
    await delay(50);
  }
}

function tailOf(complaints: string): string {
  return complaints
    .replace(/[^\x20-\x7e\n]/g, '')
    .trim()
    .split('\n')
    .slice(-20)
    .join('\n');
}
