/** What a session is made from, and small things that are said about it. */
import type { Backend } from '../backends/backend.ts';
import { SafeCoderError } from '../base/errors.ts';
import type { Emit, SafeCoderEvent } from '../base/events.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { Directories } from '../config/directories.ts';
import type { Settings } from '../config/schema.ts';
import type { SpawnEnd } from '../guest/guest.ts';
import type { LedgerWriter } from '../ledger/writer.ts';
import type { UserRules } from '../policy/risk/user-rules.ts';
import type { Model } from '../providers/model.ts';
import type { Capture, Sandbox } from '../sandbox/sandbox.ts';
import type { Conversation } from './conversation.ts';
import type { Network, NetworkOptions } from './network.ts';
import type { ProjectCopy } from './project-copy.ts';
import type { RunFolder } from './run-folder.ts';
import type { SessionFolder } from './store.ts';

export interface SessionOptions {
  face: 'chat' | 'run' | 'exec' | 'shell' | 'tour';
  /** The first prompt or command, for lists. */
  title: string;
  project: HostPath;
  home: HostPath;
  directories: Directories;
  settings: Settings;
  backend: Backend;
  model?: Model;
  /** Takes every event with its time and session. Must not throw. */
  onEvent: (event: SafeCoderEvent) => void;
  /** Aborts the start; later work has signals of its own. */
  signal: AbortSignal;
  /** Where ssh-agent listens, for keys that sign the ledger. */
  agentSocket?: string;
  /** Risk rules of the user's own. */
  userRules?: UserRules;
  now?: () => Date;
  /** The person's environment: their package managers' settings are asked with it. Nothing of it goes to the guest. */
  environment?: Record<string, string | undefined>;
  /** Asks the person about a host; absent when nobody is there. */
  askNetwork?: NetworkOptions['ask'];
  /** Keeps a rule that was allowed for good. */
  keepNetwork?: NetworkOptions['keep'];
}

export interface SessionEnding {
  ok: boolean;
  reason: string;
}

/** What the guest holds and the ledger doesn't. */
export interface LeftOut {
  skipped: { path: string; reason: string }[];
  ignored: { count: number; examples: string[] };
  /** The agent used git: its `.git` is never applied. */
  gitChanged: boolean;
}

export interface SessionParts {
  folder: SessionFolder;
  run: RunFolder;
  copy: ProjectCopy;
  ledger: LedgerWriter;
  sandbox: Sandbox;
  conversation: Conversation;
  /** Tree of the initial entry. */
  initial: string;
  /** What the workspace held when the session went on. */
  found?: Capture;
  emit: Emit;
  network: Network | undefined;
}

/** The exit code as a shell gives it: 128 and the signal's number for a killed command. */
export function exitCodeOf(end: SpawnEnd): number {
  return end.exitCode ?? 128 + (end.signal ?? 0);
}

/**
 * Events with their time and session, kept before anyone sees them. Deltas and live output are not kept: their whole is.
 * What tells of an end is shown also when it can't be kept: the disk that is full may be why.
 */
export function createEmit(options: SessionOptions, folder: SessionFolder, now: () => Date): Emit {
  const passing = new Set(['progress', 'message.delta', 'reasoning.delta', 'tool.output']);
  const ending = new Set(['error', 'warning', 'turn.end', 'session.end']);
  return (body) => {
    const event: SafeCoderEvent = { ...body, at: now().toISOString(), session: folder.record.id };
    if (!passing.has(body.type)) {
      try {
        folder.appendEvent(event);
      } catch (error) {
        if (!ending.has(body.type)) throw unwritable(folder, error);
      }
    }
    options.onEvent(event);
  };
}

function unwritable(folder: SessionFolder, cause: unknown): SafeCoderError {
  return new SafeCoderError(
    'environment/disk-full',
    `The session's events can't be written to ${folder.folder}.`,
    { cause, hint: 'Make room on the disk that holds it. What was recorded before is whole.' },
  );
}
