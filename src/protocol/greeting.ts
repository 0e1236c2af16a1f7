/** HELLO, KNOCK and the two failures, FATAL and ERROR. */
import { showPath } from '../base/path-bytes.ts';
import { badFrame } from './bad-frame.ts';
import { ByteReader } from './byte-reader.ts';
import { ByteWriter } from './byte-writer.ts';
import { PROTOCOL_VERSION } from './frames.ts';

export interface Hello {
  version: number;
  hasPid1: boolean;
  hasCgroup: boolean;
  hasOverlay: boolean;
  hasPty: boolean;
  agentPid: number;
  buildId: string;
  kernel: string;
  bootId: string;
  arch: string;
}

const CAPABILITY = { pid1: 1, cgroup: 2, overlay: 4, pty: 8 } as const;

/** A short ASCII name from the guest; anything else is a violation, so it can be shown as it is. */
function word(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  if (!/^[\x20-\x7e]*$/.test(text)) throw badFrame('a name in HELLO that is no plain text');
  return text;
}

function hex(bytes: Buffer): string {
  const text = word(bytes);
  if (!/^[0-9a-f]*$/.test(text)) throw badFrame('a build id in HELLO that is not hexadecimal');
  return text;
}

/** Of a HELLO of another version only `version` and `nonce` mean anything. */
export function decodeHello(payload: Uint8Array): { hello: Hello; nonce: bigint } {
  const reader = new ByteReader(payload);
  const version = reader.u16();
  reader.reserved(2);
  const capabilities = reader.u32();
  const nonce = reader.u64();
  const isOurs = version === PROTOCOL_VERSION;
  const hello: Hello = {
    version,
    hasPid1: (capabilities & CAPABILITY.pid1) !== 0,
    hasCgroup: (capabilities & CAPABILITY.cgroup) !== 0,
    hasOverlay: (capabilities & CAPABILITY.overlay) !== 0,
    hasPty: (capabilities & CAPABILITY.pty) !== 0,
    agentPid: isOurs ? reader.count() : 0,
    buildId: isOurs ? hex(reader.str16(64)) : '',
    kernel: isOurs ? word(reader.str16(64)) : '',
    bootId: isOurs ? word(reader.str16(64)) : '',
    arch: isOurs ? word(reader.str16(16)) : '',
  };
  if (isOurs) reader.finish();
  return { hello, nonce };
}

export function encodeHello(hello: Hello, nonce: bigint): Buffer {
  const capabilities =
    (hello.hasPid1 ? CAPABILITY.pid1 : 0) |
    (hello.hasCgroup ? CAPABILITY.cgroup : 0) |
    (hello.hasOverlay ? CAPABILITY.overlay : 0) |
    (hello.hasPty ? CAPABILITY.pty : 0);
  return new ByteWriter()
    .u16(hello.version)
    .u16(0)
    .u32(capabilities)
    .u64(nonce)
    .u64(hello.agentPid)
    .str16(hello.buildId)
    .str16(hello.kernel)
    .str16(hello.bootId)
    .str16(hello.arch)
    .done();
}

export function encodeKnock(nonce: bigint): Buffer {
  return new ByteWriter(16).u16(PROTOCOL_VERSION).u16(0).u32(0).u64(nonce).done();
}

export interface WireFailure {
  errno: number;
  /** The guest's own words, at most 512 bytes, made fit to show. */
  message: string;
}

/** The payload of ERROR, whose errno is never 0, and of FATAL. */
export function decodeFailure(payload: Uint8Array): WireFailure {
  const reader = new ByteReader(payload);
  const errno = reader.u32();
  const text = reader.str16(512).toString('utf8');
  const message = text === '' ? '' : showPath(text);
  reader.finish();
  if (errno === 0) throw badFrame('a failure without a reason');
  return { errno, message };
}

export function encodeFailure(errno: number, message: string): Buffer {
  return new ByteWriter().u32(errno).str16(Buffer.from(message).subarray(0, 512)).done();
}
