/** Signs heads of one ledger as they come, when its initial entry names the key. A failure never undoes an entry. */
import { SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import { formatStatement, type HeadStatement, writeSignature } from './head-signature.ts';
import type { Entry, EntryTrailers } from './ledger.ts';
import type { RepositoryReader } from './reader.ts';
import type { HeadSigner } from './ssh-signer.ts';

/** Entries that end something: what a person or a script may come back to. Signing each tool call would cost too much. */
const SEALED: ReadonlySet<EntryTrailers['kind']> = new Set(['snapshot', 'rollback', 'applied', 'fork']);

export interface SealOptions {
  /** Signs heads when the ledger's initial entry names this key, or is yet to be written. */
  signer?: HeadSigner;
  /** Takes why a head was not signed; the entry itself is safe. Must not throw. */
  onUnsigned?: (error: SafeCoderError) => void;
  sync?: boolean;
}

type SealedLedger = Pick<RepositoryReader, 'dir' | 'session' | 'objectFormat' | 'entries'>;

export class HeadSealer {
  readonly #ledger: SealedLedger;
  readonly #options: SealOptions;

  constructor(ledger: SealedLedger, options: SealOptions) {
    this.#ledger = ledger;
    this.#options = options;
  }

  /** What the initial entry says about the key. */
  get trailer(): Pick<EntryTrailers, 'signer'> {
    const { signer } = this.#options;
    return signer === undefined ? {} : { signer: signer.fingerprint };
  }

  /** Signs the entry, which is the head, if it is of a kind that is signed at once. */
  async sealKind(head: Entry): Promise<void> {
    if (SEALED.has(head.trailers.kind)) await this.seal(head);
  }

  /** Signs the head. True when it was; false where the ledger is not signed at all, or after `onUnsigned` was told. */
  async seal(head: Entry): Promise<boolean> {
    const [first] = await this.#ledger.entries();
    const promised = first?.trailers.signer;
    if (promised === undefined) return false;
    const { signer, sync = true } = this.#options;
    try {
      if (signer === undefined) throw unsigned(promised, 'no key is set');
      if (signer.fingerprint !== promised)
        throw unsigned(promised, `the key set now is ${signer.fingerprint}`);
      const { dir, session, objectFormat } = this.#ledger;
      const statement: HeadStatement = { session, objectFormat, seq: head.trailers.seq, head: head.id };
      await writeSignature(dir, statement, await signer.sign(formatStatement(statement)), { sync });
      return true;
    } catch (error) {
      this.#options.onUnsigned?.(toSafeCoderError(error));
      return false;
    }
  }
}

function unsigned(promised: string, why: string): SafeCoderError {
  return new SafeCoderError(
    'config/invalid',
    `The ledger began with signatures of the key ${promised}, and ${why}.`,
    { hint: 'Set "ledger.signWith" to that key.' },
  );
}
