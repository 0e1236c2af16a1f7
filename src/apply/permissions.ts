/** Permissions and owners of what is written: those of what was there. */
import type { HostEntry } from './host-state.ts';
import type { ReadyStep } from './intent.ts';
import type { Side } from './journal.ts';
import type { Owner } from './stage.ts';

/** A file that is replaced, or that arrives by a rename, keeps the permissions and the owner of the one it comes from. */
export function keepPermissions(steps: readonly ReadyStep[]): void {
  const sources = new Map<string, Side>();
  for (const { old, intent } of steps) {
    if (old !== undefined && intent.group !== undefined) sources.set(intent.group, old);
  }
  for (const step of steps) {
    const source = step.old ?? (step.intent.group === undefined ? undefined : sources.get(step.intent.group));
    if (step.new?.kind !== 'file' || step.new.mode !== undefined || source?.kind !== 'file') continue;
    step.new = {
      ...step.new,
      mode: withExecBit(source.mode ?? 0o644, step.new.executable),
      ...ownerOf(source),
    };
  }
}

function ownerOf({ uid, gid }: Side): Partial<Owner> {
  return uid === undefined || gid === undefined ? {} : { uid, gid };
}

/** Exec bits go where read bits are, as git does it; nothing changes when the owner's exec bit is right already. */
function withExecBit(mode: number, executable: boolean): number {
  if (((mode & 0o100) !== 0) === executable) return mode;
  return executable ? mode | 0o100 | ((mode & 0o444) >> 2) : mode & ~0o111;
}

/** A side of a step as the host has it. */
export function toSide(entry: HostEntry): Side {
  const { kind, sha256, executable, uid, gid } = entry;
  return { kind, sha256, executable, uid, gid, mode: entry.mode & 0o777, mtimeNs: String(entry.mtimeNs) };
}
