/** What the commands that run a sandbox have in common: backends, the model, the session, and how events are shown. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Backend } from '../backends/backend.ts';
import { createDemoBackend } from '../backends/demo/demo-backend.ts';
import { createQemuBackend } from '../backends/qemu/qemu-backend.ts';
import type { SafeCoderEvent } from '../base/events.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { createJsonLines } from '../headless/json-lines.ts';
import type { Model } from '../providers/model.ts';
import { settleInterrupted } from '../session/apply-changes.ts';
import { chooseBackend } from '../session/choose-backend.ts';
import { Session } from '../session/session.ts';
import { EventPrinter } from '../tui/event-printer.ts';
import type { Context } from './context.ts';

/** The program's own root: where the guest agent and the examples are. */
export const PROGRAM_ROOT = fileURLToPath(new URL('../../', import.meta.url)) as HostPath;
export const AGENT_BINARY = join(PROGRAM_ROOT, 'guest/build/safe-coder-guest') as HostPath;

export interface Face {
  /** Shows an event, in whichever form was asked for. */
  show(event: SafeCoderEvent): void;
  printer: EventPrinter;
}

/** Events as JSON lines on standard output, or as text: on standard output in a chat, progress on standard error. */
export function createFace(context: Context): Face {
  const printer = new EventPrinter({ screen: context.out, notes: context.err, quiet: context.quiet });
  const writeJson = createJsonLines(context.out.write);
  return {
    printer,
    show: (event) => {
      if (context.json) {
        if (event.type !== 'progress') writeJson(event);
      } else printer.print(event);
    },
  };
}

export interface StartOptions {
  face: 'chat' | 'run' | 'exec' | 'shell' | 'tour';
  title: string;
  model?: Model;
  project?: HostPath;
  signal: AbortSignal;
}

/** Settles what was interrupted, chooses the backend and starts a session. Throws what those throw. */
export async function startSession(context: Context, face: Face, options: StartOptions): Promise<Session> {
  await settleInterrupted(context.directories.state, (event) =>
    face.show({ ...event, at: new Date().toISOString(), session: '' }),
  );
  const backend = await chooseBackend(context.config.settings, createBackends(context));
  const session = await Session.start({
    face: options.face,
    title: options.title,
    project: options.project ?? context.project,
    home: context.home,
    directories: context.directories,
    settings: context.config.settings,
    backend,
    ...(options.model ? { model: options.model } : {}),
    onEvent: face.show,
    signal: options.signal,
  });
  return session;
}

export function createBackends(context: Context): Backend[] {
  return [
    createQemuBackend({
      cacheDir: context.directories.cache,
      agentBinary: AGENT_BINARY,
      rgBinary: ripgrepBinary(),
      toolchain: context.config.settings.toolchain as HostPath[],
    }),
    createDemoBackend({
      agentBinary: AGENT_BINARY,
      path: `${dirname(ripgrepBinary())}:/usr/local/bin:/usr/bin:/bin`,
    }),
  ];
}

/** The static ripgrep that came with the npm packages. */
function ripgrepBinary(): HostPath {
  const require = createRequire(import.meta.url);
  const platform = `@vscode/ripgrep-${process.platform}-${process.arch}/package.json`;
  const folder = dirname(createRequire(require.resolve('@vscode/ripgrep')).resolve(platform));
  return join(folder, 'bin/rg') as HostPath;
}
