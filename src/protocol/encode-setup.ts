/** SETUP's payload. */
import { ByteWriter } from './byte-writer.ts';
import type { SetupOperation } from './setup.ts';

const OP = {
  mkdir: 1,
  mount: 2,
  symlink: 3,
  file: 4,
  hostname: 5,
  loopback: 6,
  root: 7,
  workspace: 8,
  cgroup: 9,
  confine: 10,
} as const satisfies Record<SetupOperation['op'], number>;

export function encodeSetup(operations: readonly SetupOperation[]): Buffer {
  const writer = new ByteWriter(1024).u16(operations.length);
  for (const operation of operations) {
    writer.u8(OP[operation.op]);
    writeFields(writer, operation);
  }
  return writer.done();
}

function writeFields(writer: ByteWriter, operation: SetupOperation): void {
  switch (operation.op) {
    case 'mkdir':
      writer.u32(operation.mode).u32(operation.uid).u32(operation.gid).path(operation.path);
      return;
    case 'mount':
      writer.u64(operation.flags).str16(operation.source).path(operation.target);
      writer.str16(operation.type).str16(operation.data);
      return;
    case 'symlink':
      writer.path(operation.link).str16(operation.target);
      return;
    case 'file':
      writer.u32(operation.mode).u32(operation.uid).u32(operation.gid).path(operation.path);
      writer.str32(operation.bytes);
      return;
    case 'hostname':
      writer.str16(operation.name);
      return;
    case 'loopback':
      return;
    case 'root':
      writer.path(operation.path);
      return;
    case 'workspace':
      writer.path(operation.path).str16(operation.upper);
      return;
    case 'cgroup':
      writer.path(operation.path).u32(operation.pids);
      return;
    case 'confine':
      writer.u64(operation.keep);
      return;
  }
}
