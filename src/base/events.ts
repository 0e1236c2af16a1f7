/**
 * The one event union. The terminal, JSON lines, tests and the session store all read these; lower floors emit
 * them through a callback and never print. Field names are the contract of `--json`.
 */

export interface IsolationInfo {
  level: 'vm' | 'container' | 'demo';
  backend: string;
  /** `kvm`, `tcg` or `none`. */
  accel: string;
  /** What was checked at start, as recorded in the ledger's first entry. */
  proof: IsolationProof;
}

export interface IsolationProof {
  isolated: boolean;
  checks: { name: string; ok: boolean; detail: string }[];
}

export interface Usage {
  inputTokens: number;
  outputTokens: number;
  cachedInputTokens?: number;
  costUsd?: number;
  turns: number;
}

export type ChangeKind = 'added' | 'modified' | 'deleted' | 'renamed' | 'mode' | 'symlink';

/** One change in the JSON form that every command and event uses; see docs/changes-json.md. */
export interface ChangeSummary {
  path: string;
  change: ChangeKind;
  from?: string;
  /** Of an added file: the old path of a changed file that held the same bytes. */
  copiedFrom?: string;
  /** Lines; of a binary file both are 0. */
  added?: number;
  removed?: number;
  binary?: boolean;
  /** What a binary file holds, in words. */
  contentType?: string;
  /** Modes as git writes them, blob ids, sizes in bytes: of the sides that there are. */
  before?: { mode: string; oid: string; bytes: number };
  after?: { mode: string; oid: string; bytes: number };
  ignored?: boolean;
  risk: string[];
}

export type EventBody =
  | {
      type: 'session.start';
      path: string;
      isolation: IsolationInfo;
      model?: string;
      base: string;
      withheld: string[];
    }
  | {
      type: 'progress';
      phase: string;
      done: number;
      total?: number;
      unit: 'files' | 'bytes' | 'steps';
      note?: string;
    }
  | { type: 'turn.start'; turn: number }
  | { type: 'message.delta'; text: string }
  | { type: 'reasoning.delta'; text: string }
  | { type: 'message'; role: 'user' | 'assistant'; text: string }
  | { type: 'tool.start'; call: string; tool: string; input: unknown }
  | { type: 'tool.output'; call: string; text: string; channel?: 'out' | 'err' }
  | {
      type: 'tool.end';
      call: string;
      tool: string;
      ok: boolean;
      exitCode?: number;
      durationMs: number;
      /** Commit id and number of the ledger's entry; '' and 0 for a call that was never run. */
      entry: string;
      seq: number;
      changed: string[];
      /** What the model gets to read, cut to the tool's budget; of `exec` and `shell` both ends of the output. */
      text: string;
      /** A unified diff of what a file tool did, for display. */
      diff?: string;
      skipped?: { path: string; reason: string }[];
    }
  /** Takes back the deltas since the last `message`, `tool.end` or `retry`; `discarded` counts the characters of text. */
  | { type: 'retry'; attempt: number; waitMs: number; reason: string; discarded?: number }
  | { type: 'turn.end'; turn: number; reason: string }
  | { type: 'egress'; host: string; port: number; decision: 'allowed' | 'denied'; rule: string }
  | { type: 'warning'; code: string; message: string; hint?: string }
  | { type: 'error'; code: string; message: string; hint?: string }
  | {
      type: 'session.end';
      ok: boolean;
      reason: string;
      /** All that the session changed, applied or not. */
      changes: ChangeSummary[];
      applied: string[];
      conflicts: string[];
      /** Of what was applied: paths that hold conflict markers. */
      marked: string[];
      /** What the guest holds but the ledger doesn't, all of it. */
      skipped: { path: string; reason: string }[];
      /** Files that the project's own rules ignore: how many the guest changed, and some of their names. */
      ignored: { count: number; examples: string[] };
      /** The guest's `.git` differs from how it was put in; it is never applied. */
      gitChanged: boolean;
      ledger: { head: string; entries: number };
      usage: Usage;
    };

/** An event as it leaves a session: when (RFC 3339) and of which session. */
export type SafeCoderEvent = EventBody & { at: string; session: string };

/** Takes an event. Must not throw and must not block. */
export type Emit = (event: EventBody) => void;
