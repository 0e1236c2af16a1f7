/**
 * File names as the ledger's trees hold them. Git refuses some names (`.git` in every spelling that some file system takes
 * for it) and gives meaning to others (`.gitmodules`, `.gitattributes`); a guest may use them all. Those, and names that
 * begin with `%`, are percent-coded; every other name is its own bytes. The coding is injective, so nothing is lost or merged.
 * Names are latin1 strings here: one code unit is one byte.
 */
import { encodePath, type RelPath } from '../base/path-bytes.ts';

/** Code points that HFS+ ignores when it compares names. */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;
const PLAIN = /^[\w-][\w.-]*$/;

/** The name as a tree entry. */
export function encodeName(name: string): string {
  if (!name.startsWith('%') && !isSpecialToGit(name)) return name;
  return percent(name.charCodeAt(0)) + name.slice(1).replace(/[%\\]/g, (byte) => percent(byte.charCodeAt(0)));
}

/** The file's name, given the tree entry's. */
export function decodeName(name: string): string {
  if (!name.startsWith('%')) return name;
  return name.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** The tree entries' names on the way to a file. */
export function encodeComponents(path: RelPath): string[] {
  if (/^[\w/-]+$/.test(path)) return path.split('/');
  return encodePath(path).toString('latin1').split('/').map(encodeName);
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** True for more names than git minds, never for fewer. */
function isSpecialToGit(name: string): boolean {
  if (PLAIN.test(name)) return false;
  const text = Buffer.from(name, 'latin1').toString('utf8').replace(HFS_IGNORED, '').toLowerCase();
  return text.split('\\').some(isSpecialPiece);
}

/** Judges one piece between backslashes the way NTFS would: streams cut off, closing dots and spaces dropped. */
function isSpecialPiece(piece: string): boolean {
  const base = piece.replace(/:.*$/s, '').replace(/[. ]+$/, '');
  return /^\.git(modules|attributes)?$/.test(base) || /^gi[^~]*~\d+$/.test(base);
}
