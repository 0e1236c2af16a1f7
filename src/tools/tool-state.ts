/** What the tools of one session remember between calls. */
import type { Sandbox } from '../sandbox/sandbox.ts';
import { JobTable } from './job-table.ts';
import { KeyedLock } from './keyed-lock.ts';
import { removeScratch, type Scratch } from './scratch.ts';

/** What was last seen of a file, by its canonical path. */
export interface ReadRecord {
  sha256: string;
  mtimeNs: bigint;
}

export type TodoStatus = 'pending' | 'in_progress' | 'completed' | 'cancelled';

export interface TodoItem {
  id?: string | undefined;
  content: string;
  status: TodoStatus;
  priority?: 'high' | 'medium' | 'low' | undefined;
}

/**
 * Owned by the session, and disposed before its sandbox: that kills the background jobs, waits for their end within a
 * deadline and removes the tools' own files from the guest.
 */
export interface ToolState extends AsyncDisposable {
  readonly reads: Map<string, ReadRecord>;
  /** One change at a time for each file. */
  readonly fileLocks: KeyedLock;
  readonly jobs: JobTable;
  /** Where the next command starts; undefined: the workspace's root. */
  shellFolder: string | undefined;
  /** The shell that the guest has, once one was started. */
  shell: 'bash' | 'sh' | undefined;
  /** The tools' own folder in the guest, once it was made, and in which sandbox. */
  scratch: { in: Sandbox; at: Scratch } | undefined;
  /** Whether the guest has ripgrep, once it was tried. */
  hasRipgrep: boolean | undefined;
  todos: TodoItem[];
}

/** Does no I/O. */
export function createToolState(): ToolState {
  const jobs = new JobTable();
  const state: ToolState = {
    reads: new Map(),
    fileLocks: new KeyedLock(),
    jobs,
    shellFolder: undefined,
    shell: undefined,
    scratch: undefined,
    hasRipgrep: undefined,
    todos: [],
    async [Symbol.asyncDispose]() {
      await jobs[Symbol.asyncDispose]();
      const { scratch } = state;
      state.scratch = undefined;
      if (scratch !== undefined) await removeScratch(scratch.in, scratch.at);
    },
  };
  return state;
}
