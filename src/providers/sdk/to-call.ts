/** Our conversation as the AI SDK's: the only place that knows how each provider wants to see it. */
import type { AssistantPart, ConversationMessage, ModelRequest, ToolResultPart, UserPart } from '../model.ts';
import type { NetworkProvider } from '../model-id.ts';
import type {
  SdkAssistantPart,
  SdkCall,
  SdkMessage,
  SdkOptions,
  SdkPrompt,
  SdkToolPart,
  SdkUserPart,
} from './sdk-types.ts';

/** What a provider must see again, kept with the provider's name: no other provider understands it. */
export interface Opaque {
  provider: NetworkProvider;
  data: SdkOptions;
}

const CACHE_MARK: SdkOptions = { anthropic: { cacheControl: { type: 'ephemeral' } } };

/** The request without signal and output limit, which the caller adds. */
export function toCall(provider: NetworkProvider, request: ModelRequest): SdkCall {
  const prompt = toPrompt(provider, request);
  if (provider === 'anthropic') markForCache(prompt);
  const call: SdkCall = { prompt };
  if (request.tools.length === 0) return call;
  const tools = request.tools.map(({ name, description, inputSchema }) => ({
    type: 'function' as const,
    name,
    description,
    inputSchema,
  }));
  return { ...call, tools, toolChoice: { type: 'auto' } };
}

function toPrompt(provider: NetworkProvider, request: ModelRequest): SdkPrompt {
  const prompt: SdkPrompt = [];
  if (request.system !== '') prompt.push({ role: 'system', content: request.system });
  for (const message of request.messages) {
    for (const each of toMessages(provider, message)) addMessage(prompt, each);
  }
  return prompt;
}

/** What the user says twice in a row, as after an abort, is one message: many servers want roles that alternate. */
function addMessage(prompt: SdkPrompt, message: SdkMessage): void {
  const last = prompt.at(-1);
  if (message.role === 'user' && last?.role === 'user') last.content.push(...message.content);
  else prompt.push(message);
}

function toMessages(provider: NetworkProvider, message: ConversationMessage): SdkMessage[] {
  if (message.role === 'user') {
    const content = message.parts.flatMap(toUserPart);
    return content.length === 0 ? [] : [{ role: 'user', content }];
  }
  if (message.role === 'assistant') {
    const content = message.parts.flatMap((part) => toAssistantPart(provider, part));
    return content.length === 0 ? [] : [{ role: 'assistant', content }];
  }
  const isChat = isChatProvider(provider);
  const content = message.results.map((result) => toToolPart(result, !isChat));
  const messages: SdkMessage[] = [{ role: 'tool', content }];
  const images = message.results.flatMap((result) => result.images ?? []);
  // Chat Completions takes no image inside a tool's answer, so they follow as what the user shows.
  if (isChat && images.length > 0) messages.push({ role: 'user', content: images.map(toFilePart) });
  return messages;
}

function isChatProvider(provider: NetworkProvider): boolean {
  return provider === 'openrouter' || provider === 'ollama' || provider === 'openai-compatible';
}

function toUserPart(part: UserPart): SdkUserPart[] {
  if (part.type === 'image') return [toFilePart(part)];
  // Providers refuse empty text.
  return part.text.trim() === '' ? [] : [{ type: 'text', text: part.text }];
}

function toFilePart(image: { mediaType: string; base64: string }): Extract<SdkUserPart, { type: 'file' }> {
  return { type: 'file', mediaType: image.mediaType, data: { type: 'data', data: image.base64 } };
}

function toAssistantPart(provider: NetworkProvider, part: AssistantPart): SdkAssistantPart[] {
  if (part.type === 'text') return part.text.trim() === '' ? [] : [{ type: 'text', text: part.text }];
  const providerOptions = readOpaque(provider, part.opaque);
  if (part.type === 'reasoning') {
    if (providerOptions !== undefined) return [{ type: 'reasoning', text: part.text, providerOptions }];
    // Local servers want to see the reasoning again as text; the others refuse it without its signature.
    const isPlain = isChatProvider(provider) && part.opaque === undefined && part.text !== '';
    return isPlain ? [{ type: 'reasoning', text: part.text }] : [];
  }
  const call = {
    type: 'tool-call' as const,
    toolCallId: part.call,
    toolName: part.tool,
    input: toInput(part.input),
  };
  return [providerOptions === undefined ? call : { ...call, providerOptions }];
}

/** An object always: what was no JSON object is shown back under one key, because servers parse the arguments again. */
function toInput(input: unknown): unknown {
  if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input;
  return { invalid: typeof input === 'string' ? input : JSON.stringify(input) };
}

function toToolPart(result: ToolResultPart, withImages: boolean): SdkToolPart {
  const text = result.text === '' ? '(no output)' : result.text;
  const part = { type: 'tool-result' as const, toolCallId: result.call, toolName: result.tool };
  if (!result.ok) return { ...part, output: { type: 'error-text', value: text } };
  if (!withImages || result.images === undefined || result.images.length === 0) {
    return { ...part, output: { type: 'text', value: text } };
  }
  const value = [{ type: 'text' as const, text }, ...result.images.map(toFilePart)];
  return { ...part, output: { type: 'content', value } };
}

function readOpaque(provider: NetworkProvider, opaque: unknown): SdkOptions | undefined {
  if (typeof opaque !== 'object' || opaque === null) return undefined;
  const { provider: owner, data } = opaque as Partial<Opaque>;
  return owner === provider && typeof data === 'object' && data !== null ? data : undefined;
}

/**
 * Anthropic caches the prefix up to each mark: after the system prompt (tools come before it) and after the last two
 * messages that are not the model's, so that the next request finds the mark of this one.
 */
function markForCache(prompt: SdkPrompt): void {
  const ours = prompt.filter((message) => message.role === 'user' || message.role === 'tool');
  const system = prompt.filter((message) => message.role === 'system');
  for (const message of [...system, ...ours.slice(-2)]) message.providerOptions = CACHE_MARK;
}
