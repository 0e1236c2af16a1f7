/** Payloads of REPLY and END, guest to host. Each decoder checks every field and that nothing is left over. */
import { decodePath } from '../base/path-bytes.ts';
import { badFrame } from './bad-frame.ts';
import { ByteReader } from './byte-reader.ts';
import { MAX_CREDIT } from './frames.ts';
import { readStat, type StatRecord } from './stat-record.ts';

/** Reads a whole payload with `read`; bytes left over are a violation. */
export function decodeAll<T>(payload: Uint8Array, read: (reader: ByteReader) => T): T {
  const reader = new ByteReader(payload);
  const value = read(reader);
  reader.finish();
  return value;
}

export interface SpawnEndRecord {
  exitCode: number | undefined;
  signal: number | undefined;
  wasKilledForMemory: boolean;
  /** A process could not be made because there were as many as there may be. */
  wasRefusedProcesses: boolean;
  wallMs: number;
  cpuMs: number;
  peakMemoryBytes: number;
}

export function readSpawnEnd(reader: ByteReader): SpawnEndRecord {
  const how = reader.u8();
  const value = reader.u8();
  const flags = reader.u8();
  reader.reserved(1);
  if (how > 1 || flags > 3) throw badFrame('an execution that ended in no known way');
  if (how === 1 && (value < 1 || value > 64)) throw badFrame(`an execution ended by signal ${value}`);
  return {
    exitCode: how === 0 ? value : undefined,
    signal: how === 1 ? value : undefined,
    wasKilledForMemory: (flags & 1) !== 0,
    wasRefusedProcesses: (flags & 2) !== 0,
    wallMs: reader.count() / 1000,
    cpuMs: reader.count() / 1000,
    peakMemoryBytes: reader.size(),
  };
}

/** CREDIT: 1 to {@link MAX_CREDIT} bytes. */
export function readCredit(reader: ByteReader): number {
  const bytes = reader.u32();
  if (bytes === 0 || bytes > MAX_CREDIT) throw badFrame(`a credit of ${bytes} bytes`);
  return bytes;
}

export function readReadReply(reader: ByteReader): StatRecord {
  const stat = readStat(reader);
  if (stat.kind !== 'file') throw badFrame('content of something that is no file');
  return stat;
}

export function readWriteEnd(reader: ByteReader): { stat: StatRecord; created: boolean } {
  return { stat: readStat(reader), created: readFlag(reader) };
}

export function readStatEnd(reader: ByteReader): { stat: StatRecord; canonical: string; target?: string } {
  const stat = readStat(reader);
  const canonical = decodePath(reader.str16());
  const target = decodePath(reader.str16());
  if (!canonical.startsWith('/') || canonical.includes('\0')) throw badFrame('a canonical path that is none');
  if (stat.kind !== 'symlink') {
    if (target !== '') throw badFrame('a link target of something that is no symlink');
    return { stat, canonical };
  }
  return { stat, canonical, target };
}

export function readListEnd(reader: ByteReader): { entries: number; truncated: boolean } {
  return { entries: reader.u32(), truncated: readFlag(reader) };
}

export function readChangesEnd(reader: ByteReader): { entries: number; truncated: boolean } {
  return { entries: reader.count(), truncated: readFlag(reader) };
}

export function readProbeEnd(reader: ByteReader): { errno: number; otherInterfaces: number; routes: number } {
  return { errno: reader.u32(), otherInterfaces: reader.u32(), routes: reader.u32() };
}

function readFlag(reader: ByteReader): boolean {
  const value = reader.u8();
  if (value > 1) throw badFrame('a yes or no that is neither');
  return value === 1;
}
