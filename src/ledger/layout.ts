/** The ledger on disk: a bare repository with one ref, whose HEAD names nothing, so that no git reads attributes from entries. */
import { closeSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { createFile, syncFile, syncFolder, writeFailure, writeFully } from '../git/durable.ts';
import type { ObjectFormat } from '../git/object-id.ts';
import { TEMPORARY_PREFIX } from '../git/pack-writer.ts';

/** The ref that names the newest entry. */
export const HEAD_REF = 'refs/safe-coder/ledger';
/** Refs that keep long lists of skipped paths reachable. */
export const LISTS_FOLDER = 'refs/safe-coder/lists';
/** Refs that keep trees that no entry has; made with the first one. */
export const TREES_FOLDER = 'refs/safe-coder/trees';
/** Signatures of heads; made with the first one. */
export const SIGNATURES_FOLDER = 'signatures';

const FOLDERS = [
  'objects',
  'objects/info',
  'objects/pack',
  'refs',
  'refs/heads',
  'refs/safe-coder',
  LISTS_FOLDER,
];

export interface LedgerConfig {
  objectFormat: ObjectFormat;
  session: string;
}

/** Makes an empty ledger in a folder that is not there yet or empty, 0700. Throws `ledger/write-failed`. */
export async function createLayout(dir: HostPath, config: LedgerConfig): Promise<void> {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(config.session)) {
    throw new SafeCoderError('bug', `Not a session id: ${JSON.stringify(config.session)}.`);
  }
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    if (readdirSync(dir).length > 0) {
      throw new SafeCoderError('ledger/write-failed', `The folder for the new ledger is not empty: ${dir}`);
    }
    for (const folder of FOLDERS) mkdirSync(join(dir, folder), { mode: 0o700 });
    await writeNewFile(join(dir, 'config'), formatConfig(config));
    // HEAD comes last: a folder without it is no repository.
    await writeNewFile(join(dir, 'HEAD'), 'ref: refs/heads/none\n');
    for (const folder of ['', ...FOLDERS]) await syncFolder(join(dir, folder));
  } catch (error) {
    throw writeFailure(error, `a new ledger in ${dir}`);
  }
}

function formatConfig(config: LedgerConfig): string {
  const isSha256 = config.objectFormat === 'sha256';
  return [
    '[core]',
    `\trepositoryformatversion = ${isSha256 ? 1 : 0}`,
    '\tbare = true',
    '\tfilemode = true',
    '[gc]',
    '\tauto = 0',
    '[safe-coder]',
    `\tsession = ${config.session}`,
    ...(isSha256 ? ['[extensions]', '\tobjectformat = sha256'] : []),
    '',
  ].join('\n');
}

/** Reads what {@link createLayout} wrote. Throws `ledger/damaged` when `dir` holds no ledger. */
export function readConfig(dir: HostPath): LedgerConfig {
  let text: string;
  try {
    text = readFileSync(join(dir, 'config'), 'utf8');
    readFileSync(join(dir, 'HEAD'));
  } catch (cause) {
    throw new SafeCoderError('ledger/damaged', `There is no ledger in ${dir}.`, { cause });
  }
  const session = /^\tsession = ([A-Za-z0-9._-]{1,100})$/m.exec(text)?.[1];
  if (session === undefined)
    throw new SafeCoderError('ledger/damaged', `The ledger's config in ${dir} is not one.`);
  return { objectFormat: /^\tobjectformat = sha256$/m.test(text) ? 'sha256' : 'sha1', session };
}

/** Id of the newest entry, or undefined when there is none yet. Throws `ledger/damaged`. */
export function readHead(dir: HostPath): string | undefined {
  const id = readRefFile(join(dir, HEAD_REF)) ?? readPackedRef(dir);
  if (id !== undefined && !/^[0-9a-f]{40,64}$/.test(id)) {
    throw new SafeCoderError('ledger/damaged', `The ledger's head in ${dir} names no entry.`);
  }
  return id;
}

function readRefFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1').trimEnd();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new SafeCoderError('ledger/damaged', `The ledger's head can't be read: ${path}`, { cause: error });
  }
}

/** Where the ref is after somebody ran `git pack-refs` here. */
function readPackedRef(dir: HostPath): string | undefined {
  const packed = join(dir, 'packed-refs');
  if (!existsSync(packed)) return undefined;
  const line = readFileSync(packed, 'latin1')
    .split('\n')
    .find((text) => text.endsWith(` ${HEAD_REF}`));
  return line?.slice(0, -HEAD_REF.length - 1);
}

/** Removes what a writer that was killed left behind. Only for who holds the writer's lock. */
export function sweepLeftovers(dir: HostPath): void {
  const folders = [
    'objects/pack',
    'objects/info',
    'refs/safe-coder',
    LISTS_FOLDER,
    TREES_FOLDER,
    SIGNATURES_FOLDER,
  ];
  for (const folder of folders.filter((name) => existsSync(join(dir, name)))) {
    const names = readdirSync(join(dir, folder));
    const present = new Set(names);
    for (const name of names) {
      const isOrphan = name.endsWith('.pack') && !present.has(name.replace(/\.pack$/, '.idx'));
      if (name.startsWith(TEMPORARY_PREFIX) || name.endsWith('.lock') || isOrphan) {
        rmSync(join(dir, folder, name), { force: true });
      }
    }
  }
}

/** Writes a file that must not exist yet and waits until it is on the disk. */
export async function writeNewFile(path: string, text: string, options = { sync: true }): Promise<void> {
  const fd = createFile(path);
  try {
    writeFully(fd, Buffer.from(text, 'utf8'), 0);
    if (options.sync) await syncFile(fd);
  } finally {
    closeSync(fd);
  }
}
