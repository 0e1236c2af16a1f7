/** The guest's way out: clients of a port on its loopback, handed to whoever decides about them. */
import type { Duplex } from 'node:stream';
import type { Guest } from '../guest/guest.ts';

export interface EgressOutlet {
  /** Takes over a client's connection. Must not throw. */
  serve(client: Duplex): void;
  /**
   * Files to write into the guest and variables for its executions, besides those that name the proxy. With an image of its
   * own, the guest has a system of its own: only what is for the person's tools goes in.
   */
  provide(guest: {
    hasOwnImage: boolean;
  }): Promise<{ files: { path: string; text: string }[]; env: Record<string, string> }>;
}

/** Where proxies are commonly expected. */
const PORT = 3128;
/** Clients that connect at once wait for nothing. */
const WAITING = 8;
const ROOT = { uid: 0, gid: 0 };

/**
 * Makes the outlet reachable in the guest and returns the variables with which ordinary programs find it. It ends with the
 * guest. Throws `guest/*` and what the outlet throws.
 */
export async function relayEgress(
  guest: Guest,
  outlet: EgressOutlet,
  { hasOwnImage }: { hasOwnImage: boolean },
): Promise<Record<string, string>> {
  const { files, env } = await outlet.provide({ hasOwnImage });
  for (const { path, text } of files) {
    await guest.write(path, Buffer.from(text), { ...ROOT, mode: 0o644, makeParents: true });
  }
  const port = await guest.listen(PORT);
  const gone = new AbortController();
  void guest.closed.then(() => gone.abort());
  for (let waiting = 0; waiting < WAITING; waiting++) void takeClients(guest, outlet, gone.signal);
  return { ...env, ...proxyVariables(port) };
}

async function takeClients(guest: Guest, outlet: EgressOutlet, gone: AbortSignal): Promise<void> {
  try {
    while (!gone.aborted) outlet.serve(await guest.accept(gone));
  } catch {
    // The guest is gone, or takes no more: then there is nobody to serve.
  }
}

function proxyVariables(port: number): Record<string, string> {
  const proxy = `http://127.0.0.1:${port}`;
  const names = ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'all_proxy'];
  const none = 'localhost,127.0.0.1,::1';
  return {
    ...Object.fromEntries(names.map((name) => [name, proxy])),
    no_proxy: none,
    NO_PROXY: none,
    // Node's own fetch reads the variables above only when told to.
    NODE_USE_ENV_PROXY: '1',
  };
}
