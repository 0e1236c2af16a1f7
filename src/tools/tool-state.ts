/** What the tools of one session remember between calls. */
import { JobTable } from './job-table.ts';
import { KeyedLock } from './keyed-lock.ts';

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

/** Owned by the session. Disposing it kills the background jobs and waits for their end, within a deadline. */
export interface ToolState extends AsyncDisposable {
  readonly reads: Map<string, ReadRecord>;
  /** One change at a time for each file. */
  readonly fileLocks: KeyedLock;
  readonly jobs: JobTable;
  /** Where the next command starts; undefined: the workspace's root. */
  shellFolder: string | undefined;
  /** The shell that the guest has, once one was started. */
  shell: 'bash' | 'sh' | undefined;
  /** Whether the place for the last directory could be made; undefined before the first try. */
  isTrackingReady: boolean | undefined;
  /** Whether the guest has ripgrep, once it was tried. */
  hasRipgrep: boolean | undefined;
  todos: TodoItem[];
}

/** Does no I/O. */
export function createToolState(): ToolState {
  const jobs = new JobTable();
  return {
    reads: new Map(),
    fileLocks: new KeyedLock(),
    jobs,
    shellFolder: undefined,
    shell: undefined,
    isTrackingReady: undefined,
    hasRipgrep: undefined,
    todos: [],
    [Symbol.asyncDispose]: () => jobs[Symbol.asyncDispose](),
  };
}
