/** Signatures of heads, beside the chain: `signatures/SEQ` holds what was signed and OpenSSH's signature of it. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { syncFolder, writeFailure } from '../git/durable.ts';
import { TEMPORARY_PREFIX } from '../git/pack-writer.ts';
import { type LedgerConfig, SIGNATURES_FOLDER, writeNewFile } from './layout.ts';

/** Larger files are none of ours. */
const MAX_BYTES = 64 << 10;
const ARMOR = '-----BEGIN SSH SIGNATURE-----';

export interface HeadStatement extends LedgerConfig {
  seq: number;
  head: string;
}

/** What is signed: which ledger, and that it had come to this entry. Nothing in it can be chosen by a guest. */
export function formatStatement(statement: HeadStatement): string {
  return [
    'safe-coder ledger head 1',
    `session ${statement.session}`,
    `format ${statement.objectFormat}`,
    `sequence ${statement.seq}`,
    `head ${statement.head}`,
    '',
  ].join('\n');
}

/** Keeps a signature; on the disk when this resolves. Throws `ledger/write-failed`. */
export async function writeSignature(
  dir: HostPath,
  statement: HeadStatement,
  signature: string,
  options: { sync: boolean },
): Promise<void> {
  const folder = join(dir, SIGNATURES_FOLDER);
  const temporary = join(folder, `${TEMPORARY_PREFIX}${statement.seq}`);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    rmSync(temporary, { force: true });
    await writeNewFile(temporary, formatStatement(statement) + signature, options);
    renameSync(temporary, join(folder, String(statement.seq)));
    if (options.sync) await syncFolder(folder);
  } catch (error) {
    throw writeFailure(error, 'a signature');
  }
}

/** Sequence numbers of the entries that were signed as head, ascending. */
export function signedSequences(dir: HostPath): number[] {
  try {
    return readdirSync(join(dir, SIGNATURES_FOLDER))
      .filter((name) => /^[1-9]\d{0,8}$/.test(name))
      .map(Number)
      .sort((a, b) => a - b);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw new SafeCoderError('ledger/damaged', "The ledger's signatures can't be read.", { cause: error });
  }
}

/** The statement and the armored signature as they were kept. Throws `ledger/damaged`. */
export function readSignature(dir: HostPath, seq: number): { statement: string; signature: string } {
  const path = join(dir, SIGNATURES_FOLDER, String(seq));
  let text = '';
  try {
    const stat = statSync(path);
    if (stat.isFile() && stat.size <= MAX_BYTES) text = readFileSync(path, 'latin1');
  } catch (cause) {
    throw new SafeCoderError('ledger/damaged', `The signature of entry #${seq} can't be read.`, { cause });
  }
  const at = text.indexOf(ARMOR);
  if (at < 0) throw new SafeCoderError('ledger/damaged', `The signature of entry #${seq} is unreadable.`);
  return { statement: text.slice(0, at), signature: text.slice(at) };
}
