/** Changes as a patch in git's format, which `git apply` accepts: any name, any bytes, modes, symlinks, renames. */
import { deflateSync } from 'node:zlib';
import { isBinary } from '../base/is-binary.ts';
import { encodePath, type RelPath } from '../base/path-bytes.ts';
import type { FileMode } from './change-set.ts';
import { diffText, type Hunk, replaceAll } from './text-diff.ts';

/** One side of a file with its bytes. */
export interface PatchSide {
  path: RelPath;
  mode: FileMode;
  /** Blob id in the format of the repository that the patch is for. */
  oid: string;
  bytes: Buffer;
}

/** A change with its bytes; one side is missing for an added or a deleted file. */
export interface PatchChange {
  before?: PatchSide;
  after?: PatchSide;
}

const LITERAL_LINE_BYTES = 52;
const BASE85 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~';

/** The patch for some changes, in their order. Bytes, since files and names are. */
export function formatPatch(changes: readonly PatchChange[]): Buffer {
  return Buffer.from(changes.flatMap(splitTypeChange).map(formatChange).join(''), 'latin1');
}

/** Hunks in unified form. */
export function formatHunks(hunks: readonly Hunk[]): string {
  return hunks
    .map((hunk) => {
      const head = `@@ -${range(hunk.oldStart, hunk.oldLines)} +${range(hunk.newStart, hunk.newLines)} @@`;
      return `${head}\n${hunk.lines.join('\n')}\n`;
    })
    .join('');
}

/** A name as git writes it in patches: quoted as in C when it holds anything but plain printable ASCII. */
export function quoteName(path: string): string {
  const name = encodePath(path).toString('latin1');
  if (!/[^\x20-\x7e]|["\\]/.test(name)) return name;
  const quoted = name.replace(/[^\x20-\x7e]|["\\]/g, (byte) => {
    if (byte === '"' || byte === '\\') return `\\${byte}`;
    return `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`;
  });
  return `"${quoted}"`;
}

/** A file that becomes a symlink, or the other way round, is a deletion and an addition to git. */
function splitTypeChange(change: PatchChange): PatchChange[] {
  const { before, after } = change;
  const isTypeChange = before && after && (before.mode === '120000') !== (after.mode === '120000');
  return isTypeChange ? [{ before }, { after }] : [change];
}

function formatChange({ before, after }: PatchChange): string {
  const side = before ?? after;
  if (side === undefined || isUnchanged(before, after)) return '';
  const oldName = quoteName(`a/${(before ?? side).path}`);
  const newName = quoteName(`b/${(after ?? side).path}`);
  const lines = [`diff --git ${oldName} ${newName}`];
  if (!before) lines.push(`new file mode ${after?.mode}`);
  else if (!after) lines.push(`deleted file mode ${before.mode}`);
  else {
    if (before.mode !== after.mode) lines.push(`old mode ${before.mode}`, `new mode ${after.mode}`);
    if (before.path !== after.path) {
      lines.push(`rename from ${quoteName(before.path)}`, `rename to ${quoteName(after.path)}`);
    }
  }
  return `${lines.join('\n')}\n${formatContent(before, after, oldName, newName)}`;
}

function isUnchanged(before: PatchSide | undefined, after: PatchSide | undefined): boolean {
  if (!before || !after) return false;
  return before.path === after.path && before.mode === after.mode && before.bytes.equals(after.bytes);
}

function formatContent(
  before: PatchSide | undefined,
  after: PatchSide | undefined,
  oldName: string,
  newName: string,
): string {
  const zero = '0'.repeat((before ?? after)?.oid.length ?? 40);
  const old = before?.bytes ?? Buffer.alloc(0);
  const now = after?.bytes ?? Buffer.alloc(0);
  if (before && after && old.equals(now)) return '';
  const mode = before && after && before.mode === after.mode ? ` ${after.mode}` : '';
  const index = `index ${before?.oid ?? zero}..${after?.oid ?? zero}${mode}\n`;
  if (isBinary(old) || isBinary(now)) {
    return `${index}GIT binary patch\n${formatLiteral(now)}\n${formatLiteral(old)}\n`;
  }
  const diff = diffText(old, now);
  const hunks = diff.kind === 'text' ? diff.hunks : replaceAll(old, now);
  if (hunks.length === 0) return index;
  return `${index}--- ${before ? fileLine(oldName) : '/dev/null'}\n+++ ${after ? fileLine(newName) : '/dev/null'}\n${formatHunks(hunks)}`;
}

/** A tab closes a name with spaces, where another tool's date could stand. */
function fileLine(name: string): string {
  return name.includes(' ') && !name.startsWith('"') ? `${name}\t` : name;
}

function range(start: number, count: number): string {
  return count === 1 ? `${start}` : `${start},${count}`;
}

/** The whole of a file as git's binary patches hold it: deflated, in lines of base 85. */
function formatLiteral(bytes: Buffer): string {
  const deflated = deflateSync(bytes);
  const lines = [`literal ${bytes.length}`];
  for (let at = 0; at < deflated.length; at += LITERAL_LINE_BYTES) {
    const piece = deflated.subarray(at, at + LITERAL_LINE_BYTES);
    lines.push(lengthLetter(piece.length) + encodeBase85(piece));
  }
  return `${lines.join('\n')}\n`;
}

function lengthLetter(length: number): string {
  return String.fromCharCode(length <= 26 ? 64 + length : 96 + length - 26);
}

function encodeBase85(bytes: Buffer): string {
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
  bytes.copy(padded);
  let out = '';
  for (let at = 0; at < padded.length; at += 4) {
    let value = padded.readUInt32BE(at);
    let group = '';
    for (let digit = 0; digit < 5; digit++) {
      group = BASE85.charAt(value % 85) + group;
      value = Math.floor(value / 85);
    }
    out += group;
  }
  return out;
}
