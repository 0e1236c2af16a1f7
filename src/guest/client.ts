/** Opens the guest: the handshake, and the verbs over the connection. */
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { SafeCoderError } from '../base/errors.ts';
import { PROTOCOL_VERSION } from '../protocol/frames.ts';
import { Connection } from './connection.ts';
import { DEFAULT_DEADLINES, type Deadlines } from './deadlines.ts';
import type { Guest } from './guest.ts';
import { createGuest } from './verbs.ts';

export interface OpenGuestOptions {
  /** The agent was restored from a saved state: it is greeted by KNOCK. */
  restored: boolean;
  deadlines?: Partial<Deadlines>;
}

/**
 * Takes over the channel and waits for the guest agent's greeting. Throws `guest/timeout` (details.phase `hello`),
 * `guest/version`, `guest/bad-frame` or `guest/lost`; the channel is destroyed then. The caller owns the guest.
 */
export async function openGuest(channel: Duplex, options: OpenGuestOptions): Promise<Guest> {
  const connection = new Connection(channel, { ...DEFAULT_DEADLINES, ...options.deadlines });
  const nonce = options.restored ? randomBytes(8).readBigUInt64LE() | 1n : undefined;
  const hello = await connection.greet(nonce);
  if (hello.version !== PROTOCOL_VERSION) {
    const error = new SafeCoderError(
      'guest/version',
      `The guest agent speaks version ${hello.version} of the protocol; this program speaks ${PROTOCOL_VERSION}.`,
      { hint: 'Run "safe-coder setup" to rebuild the guest image.' },
    );
    connection.fail(error);
    throw error;
  }
  return createGuest(connection, hello);
}
