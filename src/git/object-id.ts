/** Object ids: how git names a blob, tree or commit by its bytes, in either object format. */
import { createHash, type Hash, hash } from 'node:crypto';

export type ObjectFormat = 'sha1' | 'sha256';
export type ObjectType = 'blob' | 'tree' | 'commit';

/** Length of an id in bytes. */
export function oidBytes(format: ObjectFormat): number {
  return format === 'sha1' ? 20 : 32;
}

/** True for a full lower-case hex id of the format. */
export function isOid(format: ObjectFormat, text: string): boolean {
  return text.length === oidBytes(format) * 2 && /^[0-9a-f]+$/.test(text);
}

/** The bytes that git hashes before an object's own. */
function objectHeader(type: ObjectType, size: number): Buffer {
  return Buffer.from(`${type} ${size}\0`, 'latin1');
}

/** A hash that has taken the object's header; feed it exactly `size` bytes. */
export function startObjectHash(format: ObjectFormat, type: ObjectType, size: number): Hash {
  return createHash(format).update(objectHeader(type, size));
}

/** The id of an object that is all in memory. */
export function hashObject(format: ObjectFormat, type: ObjectType, bytes: Uint8Array): string {
  const header = objectHeader(type, bytes.length);
  if (bytes.length > 1 << 16) return createHash(format).update(header).update(bytes).digest('hex');
  return hash(format, Buffer.concat([header, bytes]), 'hex');
}
