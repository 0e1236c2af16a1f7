/** Tools as the agent loop sees them. A tool sees a {@link Sandbox} and never the host's file system. */
import type { Sandbox } from '../sandbox/sandbox.ts';

export interface ToolResult {
  ok: boolean;
  /** For the model: cut to the budget, control characters gone, says what to do next on failure. */
  text: string;
  images?: { mediaType: string; base64: string }[];
  exitCode?: number;
  /** A unified diff of what a file tool did, for display. */
  diff?: string;
  /** Paths (relative to the workspace) that a file tool wrote itself: captured even when ignored. */
  wrote?: string[];
  /** Facts for the ledger and the session store, e.g. bytes, truncated, job. */
  meta?: Record<string, unknown>;
}

export interface ToolContext {
  sandbox: Sandbox;
  /** Identifies the call in logs and file names: `[A-Za-z0-9_-]{1,64}`. */
  call: string;
  signal: AbortSignal;
  /** Live output for the person watching; raw bytes decoded as UTF-8, not sanitised. */
  onOutput: (text: string) => void;
}

export interface Tool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the input, strict. */
  readonly inputSchema: Record<string, unknown>;
  /** True when it can't change anything: such calls may run side by side. */
  readonly isReadOnly: boolean;
  /**
   * Runs one call. Input is whatever the model sent: it is validated here. A failure of the tool is a result with
   * `ok: false`; throws only for `guest/lost`, `guest/bad-frame`, `guest/timeout` and `cancelled`.
   */
  run(input: unknown, context: ToolContext): Promise<ToolResult>;
}
