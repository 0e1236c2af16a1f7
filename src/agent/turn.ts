/** One turn of the agent: what it is given and what it comes to. */
import type { SafeCoderError } from '../base/errors.ts';
import type { Emit } from '../base/events.ts';
import type { ConversationMessage, Model } from '../providers/model.ts';
import type { ModelPrice } from '../providers/model-facts.ts';
import type { Tool, ToolResult } from '../tools/tool.ts';
import type { RetryOptions } from './backoff.ts';

/** A tool's result after the session has captured and committed what it did. */
export type ToolOutcome = ToolResult & {
  /** Commit id and number of the ledger's entry. */
  entry: string;
  seq: number;
  /** Paths that changed with it. */
  changed?: string[];
  skipped?: { path: string; reason: string }[];
};

/**
 * Runs one call; resolves only when its entry is safe on disk. Rejects with `cancelled` when aborted without a result; any
 * other rejection ends the turn. Must settle soon after `signal` aborts.
 */
export type RunTool = (call: string, tool: Tool, input: unknown, signal: AbortSignal) => Promise<ToolOutcome>;

/** Requests to the model in one turn. */
export const DEFAULT_STEPS = { interactive: 200, headless: 100 } as const;

export interface AgentLimits {
  /** Requests to the model in this turn. */
  maxSteps: number;
  /** What this turn may cost; checked before each request, so the last answer may go past it. */
  maxCostUsd?: number;
}

export interface TurnOptions {
  model: Model;
  system: string;
  /** Ends with what the user said. Not changed. */
  conversation: readonly ConversationMessage[];
  tools: readonly Tool[];
  runTool: RunTool;
  /** Gets deltas, `message` of the assistant, `tool.start`, `tool.end`, `retry` and `warning`. */
  emit: Emit;
  /**
   * Called with each message that joins the conversation, before anything follows from it, so that a crash loses nothing.
   * A rejection ends the turn. After a crash the last calls may have no answer: {@link runTurn} gives them one.
   */
  onMessage?: (message: ConversationMessage) => void | Promise<void>;
  limits: AgentLimits;
  signal: AbortSignal;
  retry?: RetryOptions;
  /** Without it there is no cost, and `maxCostUsd` can't be kept (a `warning` says so). */
  price?: ModelPrice;
  maxOutputTokens?: number;
}

export interface TurnUsage {
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  /** Undefined when the price of the model is not known. */
  costUsd?: number;
  /** Requests that were answered. */
  steps: number;
}

export type TurnReason = 'done' | 'aborted' | 'max-steps' | 'max-cost' | 'loop' | 'error';

export interface TurnResult {
  /** Keeps the laws of conversation.ts, whatever the reason. */
  conversation: ConversationMessage[];
  reason: TurnReason;
  /** With reason `error`. */
  error?: SafeCoderError;
  usage: TurnUsage;
}
