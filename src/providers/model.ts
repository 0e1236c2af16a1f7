/**
 * A model: conversation in, stream of parts out. Conversations are plain JSON of our own, so they can be stored,
 * replayed and sent to any provider.
 */

export type UserPart = { type: 'text'; text: string } | { type: 'image'; mediaType: string; base64: string };

export type AssistantPart =
  | { type: 'text'; text: string }
  /** `opaque` is what the provider needs to see again (signatures, encrypted reasoning); we never read it. */
  | { type: 'reasoning'; text: string; opaque?: unknown }
  | { type: 'tool-call'; call: string; tool: string; input: unknown; opaque?: unknown };

export interface ToolResultPart {
  type: 'tool-result';
  call: string;
  tool: string;
  ok: boolean;
  text: string;
  images?: { mediaType: string; base64: string }[];
}

export type ConversationMessage =
  | { role: 'user'; parts: UserPart[] }
  | { role: 'assistant'; parts: AssistantPart[] }
  /** Every call of the assistant message before it, answered exactly once, in order. */
  | { role: 'tool'; results: ToolResultPart[] };

export interface ToolDescription {
  name: string;
  description: string;
  /** JSON Schema of the input object. */
  inputSchema: Record<string, unknown>;
}

export interface ModelRequest {
  system: string;
  tools: ToolDescription[];
  messages: ConversationMessage[];
  maxOutputTokens?: number;
}

export interface TokenUsage {
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
}

export type StopReason = 'end' | 'tool-calls' | 'length' | 'refused' | 'other';

export type ModelPart =
  | { type: 'text'; text: string }
  | { type: 'reasoning'; text: string; opaque?: unknown }
  /** The call is complete. `input` is the parsed JSON; `invalid` says why it is no JSON object, with the raw text as `input`. */
  | { type: 'tool-call'; call: string; tool: string; input: unknown; invalid?: string; opaque?: unknown }
  | { type: 'usage'; usage: TokenUsage }
  | { type: 'stop'; reason: StopReason };

export interface Model {
  /** `provider/name`, as the user wrote it. */
  readonly id: string;
  /**
   * One request, no retries. Iterating ends after a `stop` part, or throws a SafeCoderError of kind `provider/*`
   * (`details.retryAfterMs` when the provider named a wait, `details.retryable` boolean) or `cancelled`. Never
   * throws a raw library error; never puts a key in a message.
   */
  stream(request: ModelRequest, signal: AbortSignal): AsyncIterable<ModelPart>;
}
