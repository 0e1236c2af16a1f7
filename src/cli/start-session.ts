/** What the commands that run a sandbox have in common: backends, the model, the session, and how events are shown. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Backend } from '../backends/backend.ts';
import type { QemuBackend } from '../backends/qemu/qemu-backend.ts';
import { isSafeCoderError, SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { EventBody, SafeCoderEvent } from '../base/events.ts';
import { type HostPath, showPath } from '../base/path-bytes.ts';
import { keepAllowed } from '../config/keep-allowed.ts';
import { createJsonLines } from '../headless/json-lines.ts';
import { type EgressRule, showEgressRule } from '../policy/egress-policy.ts';
import type { Model } from '../providers/model.ts';
import { settleInterrupted } from '../session/apply-changes.ts';
import { chooseBackend } from '../session/choose-backend.ts';
import { Session } from '../session/session.ts';
import type { SessionOptions } from '../session/session-parts.ts';
import type { StoredSession } from '../session/store.ts';
import { EventPrinter } from '../tui/event-printer.ts';
import { type Context, userRulesOf } from './context.ts';
import { createDocker } from './docker.ts';
import { checkToolchain, findNodeFolder } from './toolchain.ts';

/** The program's own root: where the guest agent and the examples are. */
export const PROGRAM_ROOT = fileURLToPath(new URL('../../', import.meta.url)) as HostPath;
export const AGENT_BINARY = join(PROGRAM_ROOT, 'guest/build/safe-coder-guest') as HostPath;

export interface Face {
  /** Shows an event, in whichever form was asked for. */
  show(event: SafeCoderEvent): void;
  printer: EventPrinter;
}

/** Events as JSON lines on standard output, or as text: on standard output in a chat, progress on standard error. */
export function createFace(context: Context, options: { showTools: boolean } = { showTools: true }): Face {
  const printer = new EventPrinter({ screen: context.out, notes: context.err, quiet: context.quiet });
  const writeJson = createJsonLines(context.out.write);
  return {
    printer,
    show: (event) => {
      if (context.json) {
        if (event.type !== 'progress') writeJson(event);
      } else if (options.showTools || !event.type.startsWith('tool.')) printer.print(event);
    },
  };
}

export interface StartOptions {
  face: 'chat' | 'run' | 'exec' | 'shell' | 'tour';
  title: string;
  model?: Model;
  project?: HostPath;
  /** A stored session to go on with, instead of a new one. */
  stored?: StoredSession | undefined;
  /** Asks about a host, where somebody is there to answer. */
  askNetwork?: NonNullable<SessionOptions['askNetwork']>;
  signal: AbortSignal;
}

/** Settles what was interrupted, chooses the backend and starts a session. Throws what those throw. */
export async function startSession(context: Context, shown: Face, options: StartOptions): Promise<Session> {
  await settleInterrupted(context.directories.state, (event) =>
    shown.show({ ...event, at: new Date().toISOString(), session: '' }),
  );
  const backend = await chooseBackend(context.config.settings, await createBackends(context, shown));
  try {
    const common = {
      home: context.home,
      directories: context.directories,
      settings: context.config.settings,
      backend,
      ...(options.model ? { model: options.model } : {}),
      ...(context.environment.SSH_AUTH_SOCK ? { agentSocket: context.environment.SSH_AUTH_SOCK } : {}),
      userRules: userRulesOf(context),
      onEvent: shown.show,
      environment: context.environment,
      ...(options.askNetwork === undefined ? {} : { askNetwork: options.askNetwork }),
      keepNetwork: (rule: EgressRule) => keepRule(context, shown, rule),
      signal: options.signal,
    };
    if (options.stored) return await Session.resume(common, options.stored);
    const { face, title, project = context.project } = options;
    return await Session.start({ ...common, face, title, project });
  } catch (error) {
    // Nothing of an engine's container comes from there.
    throw backend.name === 'docker' ? error : withCacheHint(error, context.directories.cache);
  }
}

/** The answer holds for this session in any case. */
function keepRule(context: Context, shown: Face, rule: EgressRule): void {
  try {
    keepAllowed(context.userFile, showEgressRule(rule));
  } catch (error) {
    const message = `The host is allowed for this session only: ${toSafeCoderError(error).message}`;
    shown.show({
      type: 'warning',
      code: 'egress/not-kept',
      message,
      at: new Date().toISOString(),
      session: '',
    });
  }
}

/** A machine that does not start may be made of damaged files, which nobody notices before. */
function withCacheHint(error: unknown, cache: HostPath): unknown {
  if (!isSafeCoderError(error, 'backend/boot-failed')) return error;
  const mend = `If nothing is, remove ${showPath(cache)}: kernel and images are then made anew.`;
  return new SafeCoderError(error.code, error.message, {
    hint: error.hint === undefined ? mend : `${error.hint}\n${mend}`,
    ...(error.details === undefined ? {} : { details: error.details }),
    cause: error,
  });
}

/** The backends of the level that the settings ask for; another level's are not even loaded. */
export async function createBackends(context: Context, face: Face): Promise<Backend[]> {
  if (context.config.settings.isolation === 'vm') return [await createVmBackend(context, face)];
  if (context.config.settings.isolation === 'container') {
    const onWarning = (message: string) =>
      face.show({
        type: 'warning',
        code: 'backend/note',
        message,
        at: new Date().toISOString(),
        session: '',
      });
    const programs = { agentBinary: AGENT_BINARY, rgBinary: ripgrepBinary() };
    // Whoever may speak to an engine is root by it: it is used when it is named, and not otherwise.
    if (context.config.settings.backend === 'docker')
      return [await createDocker(context, programs, onWarning)];
    const { createBubblewrapBackend } = await import('../backends/bubblewrap/bubblewrap-backend.ts');
    return [
      createBubblewrapBackend({
        cacheDir: context.directories.cache,
        ...programs,
        toolchainFolders: findToolchain(context),
        onWarning,
      }),
    ];
  }
  const { createDemoBackend } = await import('../backends/demo/demo-backend.ts');
  return [
    createDemoBackend({
      agentBinary: AGENT_BINARY,
      path: `${dirname(ripgrepBinary())}:/usr/local/bin:/usr/bin:/bin`,
    }),
  ];
}

export async function createVmBackend(context: Context, face: Face): Promise<QemuBackend> {
  const { createQemuBackend } = await import('../backends/qemu/qemu-backend.ts');
  const show = (event: EventBody) => face.show({ ...event, at: new Date().toISOString(), session: '' });
  return createQemuBackend({
    cacheDir: context.directories.cache,
    agentBinary: AGENT_BINARY,
    rgBinary: ripgrepBinary(),
    toolchainFolders: findToolchain(context),
    downloadEnv: proxyEnvironment(context.environment),
    onProgress: (note) => {
      show({ type: 'progress', phase: 'Getting ready', done: 0, unit: 'steps', note });
      // Where no line can move, what takes long is still said: it happens once per machine.
      if (!context.err.isTerminal && !context.json && !context.quiet) context.err.write(`${note} ...\n`);
    },
    onWarning: (message) => show({ type: 'warning', code: 'backend/note', message }),
  });
}

/** Folders of tools outside /usr that the guest may read: those of the settings, and that of the user's own Node. */
function findToolchain(context: Context): HostPath[] {
  const { config, state, cache } = context.directories;
  const closed = [context.home, context.project, config, state, cache];
  const own = findNodeFolder(context.environment.PATH ?? '', { closed, except: PROGRAM_ROOT });
  return [
    ...new Set([
      ...checkToolchain(context.config.settings.toolchain as HostPath[], closed),
      ...(own ? [own] : []),
    ]),
  ];
}

/** What apt needs to fetch the guest's kernel behind a proxy; it goes no further than that. */
function proxyEnvironment(environment: Record<string, string | undefined>): Record<string, string> {
  const names = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY'];
  return Object.fromEntries(names.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])));
}

/** The static ripgrep that came with the npm packages. */
export function ripgrepBinary(): HostPath {
  const require = createRequire(import.meta.url);
  const platform = `@vscode/ripgrep-${process.platform}-${process.arch}/package.json`;
  const folder = dirname(createRequire(require.resolve('@vscode/ripgrep')).resolve(platform));
  return join(folder, 'bin/rg') as HostPath;
}
