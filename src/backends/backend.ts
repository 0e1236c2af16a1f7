/**
 * A backend offers exactly one thing: a duplex stream to a guest agent, and an end. What differs between
 * backends beyond that is data in {@link Launched}, never code above this floor.
 */
import type { Duplex } from 'node:stream';
import type { GuestPath, HostPath } from '../base/path-bytes.ts';
import type { SetupOperation } from '../protocol/setup.ts';

export interface LaunchSpec {
  /** The sandbox's id: unpredictable, a safe file name. */
  id: string;
  /** A private, empty directory (0700) for sockets, disks and logs. The caller owns it and removes it after `end()`. */
  runDir: HostPath;
  /** Where the workspace shall be in the guest: the project's own absolute path. A backend without its own root ignores it. */
  workspace: GuestPath;
  /** Who the agent's executions run as: the ids of the person who started us. */
  uid: number;
  gid: number;
  cpus: number;
  memoryBytes: number;
  /** The most that the guest can write, root and workspace together. */
  diskBytes: number;
  /** The most processes of all executions together. */
  pids: number;
  /** Environment that executions shall see; made of fixed values only, never of the host's environment. */
  env: Record<string, string>;
}

export interface Launched extends AsyncDisposable {
  /** The stream to the guest agent. Ends when the guest is gone. */
  channel: Duplex;
  info: BackendInfo;
  /** Operations to send as SETUP once the guest agent answered and the project image is complete. */
  setup: SetupOperation[];
  /** How the project gets in: as bytes of an EROFS image in this file before SETUP, or by UNPACK after it. */
  populate:
    | { by: 'image'; file: HostPath }
    /** `into` a folder of the guest, followed by more operations. */
    | { by: 'unpack'; into: GuestPath; after: SetupOperation[] };
  /** True when the guest agent was restored from a saved state: greet it with KNOCK and expect no unasked HELLO. */
  restored: boolean;
  /** The last lines of the guest's console, cleaned of control characters; empty when there is none. */
  consoleTail(): Promise<string>;
  /** Resolves when the guest is gone, with the reason in words. Never rejects. */
  ended: Promise<string>;
  /** Ends it: every process is gone when this resolves. Idempotent, bounded by a deadline of its own. */
  end(): Promise<void>;
}

export interface BackendInfo {
  backend: string;
  level: 'vm' | 'container' | 'demo';
  accel: 'kvm' | 'tcg' | 'none';
  /** Where the workspace really is in the guest. */
  workspace: GuestPath;
  /** Capture from the overlay's upper layer, or by walking the whole workspace. */
  capture: 'overlay' | 'walk';
  /** PATH and the like for executions in this guest. */
  env: Record<string, string>;
  /** The guest's programs are those of an image of its own, not the host's: the host's system settings mean nothing to them. */
  hasOwnImage?: boolean;
  /** As whom executions run and files are made, where the guest doesn't know the ids of the spec. */
  who?: { uid: number; gid: number };
}

export interface Backend {
  readonly name: string;
  readonly level: 'vm' | 'container' | 'demo';
  /**
   * Where {@link launch} will expect the project's image for this spec, when it populates by image: what fills it may
   * begin before the launch does. It may find the file there already, being written, and must not truncate it. The
   * path equals `populate.file` of the launched guest.
   */
  imageFile?(spec: LaunchSpec): HostPath;
  /** Why it can't be had here, with the exact mend; undefined when it can. Cheap: looks, doesn't boot. */
  missing(): Promise<BackendMissing | undefined>;
  /**
   * Starts a guest. Throws `backend/unavailable` (with the mend), `backend/boot-failed` (with phase and console
   * tail), `cancelled`. On any throw nothing is left running.
   */
  launch(spec: LaunchSpec, signal: AbortSignal): Promise<Launched>;
}

export interface BackendMissing {
  reason: string;
  /** A command that mends it, or a sentence when none does. */
  mend: string;
}
