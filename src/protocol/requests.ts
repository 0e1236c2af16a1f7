/** Payloads of requests, host to guest. */
import type { RelPath } from '../base/path-bytes.ts';
import { ByteWriter } from './byte-writer.ts';
import { MAX_PAYLOAD } from './frames.ts';
import { unsendable } from './unsendable.ts';

export interface Ids {
  uid: number;
  gid: number;
}

export interface SpawnRequest extends Ids {
  argv: string[];
  env: Record<string, string>;
  cwd: string;
  pty?: { rows: number; columns: number };
  mergeStderr?: boolean;
  stdin?: boolean;
  maxProcesses?: number;
  maxMemoryBytes?: number;
  maxOpenFiles?: number;
}

/** Throws `guest/failed` (E2BIG) when the command and its environment are larger than one payload. */
export function encodeSpawn(request: SpawnRequest): Buffer {
  const { pty } = request;
  const flags = (pty ? 1 : 0) | (request.mergeStderr ? 2 : 0) | (request.stdin ? 4 : 0);
  const env = Object.entries(request.env);
  if (request.argv.length === 0) throw unsendable('EINVAL', 'a command without a program');
  if (request.argv.length > 65_535 || env.length > 65_535) throw unsendable('E2BIG', 'too many arguments');
  const writer = new ByteWriter(1024)
    .u32(flags)
    .u32(request.uid)
    .u32(request.gid)
    .u16(pty?.rows ?? 0)
    .u16(pty?.columns ?? 0)
    .u32(request.maxProcesses ?? 0)
    .u64(request.maxMemoryBytes ?? 0)
    .u32(request.maxOpenFiles ?? 0)
    .path(request.cwd)
    .u16(request.argv.length);
  for (const argument of request.argv) writer.argument(argument);
  writer.u16(env.length);
  for (const [name, value] of env) writer.argument(`${name}=${value}`);
  if (writer.length > MAX_PAYLOAD) {
    throw unsendable('E2BIG', `a command of ${writer.length} bytes, where ${MAX_PAYLOAD} are the most`);
  }
  return writer.done();
}

/** READ and STAT share flag 1: don't follow a final symlink. */
export function encodeRead(
  path: string,
  request: Ids & { offset?: number; maxBytes: number; noFollow?: boolean },
): Buffer {
  return ids(request.noFollow ? 1 : 0, request)
    .u64(request.offset ?? 0)
    .u64(request.maxBytes)
    .path(path)
    .done();
}

export function encodeWrite(
  path: string,
  request: Ids & { mode?: number; makeParents?: boolean; exclusive?: boolean },
): Buffer {
  const flags = (request.makeParents ? 1 : 0) | (request.exclusive ? 2 : 0);
  return ids(flags, request)
    .u32(request.mode ?? 0)
    .path(path)
    .done();
}

export function encodeStatRequest(path: string, request: Ids & { noFollow?: boolean }): Buffer {
  return ids(request.noFollow ? 1 : 0, request)
    .path(path)
    .done();
}

export function encodeList(path: string, request: Ids & { max: number }): Buffer {
  return ids(0, request).u32(request.max).path(path).done();
}

export function encodeRemove(path: string, request: Ids & { recursive?: boolean }): Buffer {
  return ids(request.recursive ? 1 : 0, request)
    .path(path)
    .done();
}

export function encodeChanges(mode: 'overlay' | 'walk', max: number, prune: readonly RelPath[]): Buffer {
  const writer = new ByteWriter(1024)
    .u32(mode === 'overlay' ? 0 : 1)
    .u32(max)
    .u16(prune.length);
  for (const path of prune) writer.path(path);
  return writer.done();
}

export function encodeFetch(maxFileBytes: number): Buffer {
  return new ByteWriter(16).u32(0).u64(maxFileBytes).done();
}

export function encodeUnpack(directory: string, who: Ids): Buffer {
  return ids(0, who).path(directory).done();
}

export function encodeClock(realtimeNs: bigint): Buffer {
  return new ByteWriter(8).i64(realtimeNs).done();
}

export function encodeListen(port: number): Buffer {
  return new ByteWriter(4).u16(port).u16(0).done();
}

export function encodeAccept(): Buffer {
  return new ByteWriter(4).u32(0).done();
}

export function encodeProbe(port: number): Buffer {
  return new ByteWriter(2).u16(port).done();
}

export function encodeU32(value: number): Buffer {
  return new ByteWriter(4).u32(value).done();
}

export function encodeSize(rows: number, columns: number): Buffer {
  return new ByteWriter(4).u16(rows).u16(columns).done();
}

function ids(flags: number, who: Ids): ByteWriter {
  return new ByteWriter(64).u32(flags).u32(who.uid).u32(who.gid);
}
