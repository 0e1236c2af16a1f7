/** The sandbox that tools and the session work with: the guest's verbs with whose, where and as whom filled in. */
import type { Launched } from '../backends/backend.ts';
import type { IsolationInfo } from '../base/events.ts';
import { once } from '../base/lifetime.ts';
import type { Guest, Who } from '../guest/guest.ts';
import type { Capturer } from './capture.ts';
import type { Sandbox, SandboxLimits } from './sandbox.ts';

export interface SandboxParts {
  id: string;
  launched: Launched;
  guest: Guest;
  capturer: Capturer;
  isolation: IsolationInfo;
  limits: SandboxLimits;
  who: Who;
  env: Record<string, string>;
}

/** How long the guest may take to go by itself. Not long: nothing on its disk is kept, and the backend ends it surely. */
const SHUTDOWN_MS = 100;

export function createSandbox(parts: SandboxParts): Sandbox {
  const { launched, guest, capturer, who } = parts;
  const { workspace } = launched.info;
  const end = once(async () => {
    await guest.shutdown(SHUTDOWN_MS);
    await guest[Symbol.asyncDispose]();
    await launched.end();
  });
  // A guest that is lost or broke the protocol has no claim to go on.
  void guest.closed.then(end);
  return {
    id: parts.id,
    isolation: parts.isolation,
    limits: parts.limits,
    workspace,
    closed: guest.closed,
    exec: (options, signal) =>
      guest.spawn(
        {
          ...options,
          ...who,
          cwd: options.cwd ?? workspace,
          env: { ...parts.env, ...options.env },
        },
        signal,
      ),
    read: (path, options, signal) => guest.read(path, { ...options, ...who }, signal),
    write: (path, bytes, options, signal) => guest.write(path, bytes, { ...options, ...who }, signal),
    stat: (path, options) => guest.stat(path, { ...options, ...who }),
    list: (path, max) => guest.list(path, { ...who, max }),
    remove: (path, options) => guest.remove(path, { ...options, ...who }),
    unpack: (entries) => guest.unpack(workspace, who, entries),
    whileFrozen: (work) => capturer.whileFrozen(work),
    capture: (sink, options) => capturer.capture(sink, options),
    end,
    [Symbol.asyncDispose]: end,
  };
}
