/** What the tools of one session remember between calls. */
import { isSafeCoderError } from '../base/errors.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { JobTable } from './job-table.ts';
import { KeyedLock } from './keyed-lock.ts';
import { scratchFolder } from './workspace-path.ts';

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
  /** Where the tools keep files of their own, once they do. */
  scratchIn: Sandbox | undefined;
  /** Whether the place for the last directory could be made; undefined before the first try. */
  isTrackingReady: boolean | undefined;
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
    scratchIn: undefined,
    isTrackingReady: undefined,
    hasRipgrep: undefined,
    todos: [],
    async [Symbol.asyncDispose]() {
      await jobs[Symbol.asyncDispose]();
      const sandbox = state.scratchIn;
      state.scratchIn = undefined;
      if (sandbox !== undefined) await removeScratch(sandbox);
    },
  };
  return state;
}

async function removeScratch(sandbox: Sandbox): Promise<void> {
  try {
    await sandbox.remove(scratchFolder(sandbox), { recursive: true });
  } catch (error) {
    // The guest is going away, and its files with it: only a bug is worth telling.
    if (!isSafeCoderError(error)) throw error;
  }
}
