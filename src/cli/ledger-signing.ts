/** Signing and checking ledgers of sessions that don't run, by the settings of whoever runs the command. */
import { fingerprintOf } from '../ledger/ssh-signer.ts';
import type { WriterOptions } from '../ledger/writer-options.ts';
import { ledgerOptions, signingKey } from '../session/ledger-settings.ts';
import type { Context } from './context.ts';

function sources({ config, home, environment }: Context) {
  return { settings: config.settings, home, agentSocket: environment.SSH_AUTH_SOCK };
}

/** How such a ledger is opened for writing; an entry that can't be signed is told on standard error, and stays. */
export function storedWriting(context: Context): Promise<WriterOptions> {
  return ledgerOptions(sources(context), (event) => {
    if (event.type === 'warning') context.err.write(`! ${event.message}\n`);
  });
}

/** Fingerprint of the key that the settings name; undefined when they name none. Throws `config/invalid`. */
export async function expectedSigner(context: Context): Promise<string | undefined> {
  const key = signingKey(sources(context));
  return key && (await fingerprintOf(key));
}
