/** What the settings say about ledgers: who signs them, and how much they may hold. */
import { join } from 'node:path';
import type { Emit } from '../base/events.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { Settings } from '../config/schema.ts';
import { openSigner, type SigningKey } from '../ledger/ssh-signer.ts';
import type { WriterOptions } from '../ledger/writer-options.ts';
import type { CaptureLimits } from '../sandbox/capture.ts';

interface SigningSources {
  settings: Settings;
  home: HostPath;
  /** Where ssh-agent listens, from the environment. */
  agentSocket?: string | undefined;
}

/** What one capture may bring in. */
export function captureLimits({ ledger }: Settings): Partial<CaptureLimits> {
  return {
    ...(ledger.maxFileSize === undefined ? {} : { maxFileBytes: ledger.maxFileSize }),
    ...(ledger.maxEntrySize === undefined ? {} : { maxTotalBytes: ledger.maxEntrySize }),
    ...(ledger.maxFiles === undefined ? {} : { maxEntries: ledger.maxFiles }),
  };
}

/** The key that heads are signed with; undefined when they are not. */
export function signingKey(sources: SigningSources): SigningKey | undefined {
  const { signWith } = sources.settings.ledger;
  if (signWith === undefined) return undefined;
  const { agentSocket, home } = sources;
  return { signWith: signWith.startsWith('~/') ? join(home, signWith.slice(2)) : signWith, agentSocket };
}

/**
 * How a ledger is opened for writing: tries the key at once. Throws `config/invalid` when it can't be used. What goes wrong
 * with it later is a warning: the entry is safe.
 */
export async function ledgerOptions(sources: SigningSources, emit: Emit): Promise<WriterOptions> {
  const key = signingKey(sources);
  const { maxSize } = sources.settings.ledger;
  return {
    ...(maxSize === undefined ? {} : { maxBytes: maxSize }),
    ...(key === undefined ? {} : { signer: await openSigner(key) }),
    onUnsigned: ({ message, hint }) =>
      emit({
        type: 'warning',
        code: 'ledger/unsigned',
        message: `The newest entry is not signed: ${message}`,
        ...(hint === undefined ? {} : { hint }),
      }),
  };
}
