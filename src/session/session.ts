/**
 * One piece of work, composed: a sandbox on a copy of the project, a ledger of what happens in it, prompts and
 * commands, the change set, apply. Whoever starts a session owns it and disposes it; then the guest, its disk and every
 * process are gone, and the ledger and the conversation stay.
 */
import { randomUUID } from 'node:crypto';
import type { AgentLimits } from '../agent/turn.ts';
import type { Backend } from '../backends/backend.ts';
import { SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { Emit, EventBody, SafeCoderEvent, Usage } from '../base/events.ts';
import { once } from '../base/lifetime.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { Directories } from '../config/directories.ts';
import type { Settings } from '../config/schema.ts';
import type { GuestProcess, SpawnEnd } from '../guest/guest.ts';
import type { LedgerWriter } from '../ledger/writer.ts';
import type { Model } from '../providers/model.ts';
import type { ExecOptions, Sandbox } from '../sandbox/sandbox.ts';
import { Conversation } from './conversation.ts';
import { EntryRecorder } from './entry-recorder.ts';
import { type OpenedWorkspace, openWorkspace } from './open-workspace.ts';
import { RunFolder } from './run-folder.ts';
import { type SessionFolder, SessionStore } from './store.ts';

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
  now?: () => Date;
}
