/** Checks the signatures of a ledger's heads against its chain. */
import { isSafeCoderError } from '../base/errors.ts';
import type { FaultList } from './fault-list.ts';
import { formatStatement, readSignature, signedSequences } from './head-signature.ts';
import type { Entry } from './ledger.ts';
import { isSignatureOf, parseSignature } from './ssh-signer.ts';
import type { VerifiedLedger, VerifyOptions } from './verify.ts';

/** Each takes a process; of more, the newest count. */
const MAX_CHECKED = 100;

export interface SignatureVerdict {
  /**
   * `none`: this ledger was never signed. `valid`: the newest entry is signed. `partial`: signed, but entries came after.
   * `bad`: the faults say what is wrong.
   */
  state: 'none' | 'valid' | 'partial' | 'bad';
  /** The key's fingerprint. */
  signer?: string;
  /** The newest entry with a sound signature. */
  upTo?: number;
}

/** `chain` is newest first and may be cut short by a fault. Throws `environment/tool-missing` where there is something to check. */
export async function checkSignatures(
  ledger: VerifiedLedger,
  chain: readonly Entry[],
  options: VerifyOptions,
  faults: FaultList,
): Promise<SignatureVerdict> {
  const signed = signedSequences(ledger.dir);
  const initial = chain.at(-1)?.parent === undefined ? chain.at(-1) : undefined;
  const promised = initial?.trailers.signer;
  if (signed.length === 0 && promised === undefined) return { state: 'none' };
  const before = faults.all.length;
  const signer = options.signer ?? promised;
  if (signer !== undefined && promised !== undefined && promised !== signer) {
    faults.add('signature-other-key', `The ledger is signed with the key ${promised}, not with ${signer}.`);
  }
  const check = { ledger, chain, signer, faults };
  let upTo: number | undefined;
  for (const seq of signed.slice(-MAX_CHECKED)) if (await isSound(check, seq)) upTo = seq;
  const head = chain[0]?.trailers.seq ?? 0;
  const last = signed.at(-1) ?? 0;
  const isPartial = last < head;
  if (isPartial && options.isOver === true) {
    const which = last + 1 === head ? `Entry #${head} has` : `Entries #${last + 1} to #${head} have`;
    faults.add('signature-missing', `${which} no signature, though the ledger is signed.`);
  }
  return {
    state: faults.all.length > before ? 'bad' : isPartial ? 'partial' : 'valid',
    ...(signer === undefined ? {} : { signer }),
    ...(upTo === undefined ? {} : { upTo }),
  };
}

interface Checked {
  ledger: VerifiedLedger;
  chain: readonly Entry[];
  signer: string | undefined;
  faults: FaultList;
}

async function isSound({ ledger, chain, signer, faults }: Checked, seq: number): Promise<boolean> {
  try {
    const { statement, signature } = readSignature(ledger.dir, seq);
    const { fingerprint } = parseSignature(signature);
    if (signer !== undefined && fingerprint !== signer) {
      faults.add(
        'signature-other-key',
        `Entry #${seq} is signed with the key ${fingerprint}, not ${signer}.`,
      );
      return false;
    }
    if (!(await isSignatureOf(signature, statement))) {
      faults.add('signature-bad', `The signature of entry #${seq} does not match what was signed.`);
      return false;
    }
    return agrees({ ledger, chain, signer, faults }, seq, statement);
  } catch (error) {
    if (!isSafeCoderError(error, 'ledger/damaged')) throw error;
    faults.add('signature-bad', error.message);
    return false;
  }
}

/** Whether the chain has, at this place, what was signed. */
function agrees({ ledger, chain, faults }: Checked, seq: number, statement: string): boolean {
  const entry = chain.find(({ trailers }) => trailers.seq === seq);
  const newest = chain[0]?.trailers.seq ?? (ledger.head === undefined ? 0 : seq);
  if (entry === undefined) {
    // Below the last readable entry the chain itself is the fault, and named.
    if (seq > newest) {
      const what = `Entry #${seq} was signed, and the chain ends with #${newest}`;
      faults.add('head-moved-back', `${what}: later entries were cut off.`);
    }
    return false;
  }
  const { session, store } = ledger;
  const expected = formatStatement({ session, objectFormat: store.format, seq, head: entry.id });
  if (statement === expected) return true;
  faults.add('signature-bad', `What was signed at entry #${seq} is not what the chain holds there.`);
  return false;
}
