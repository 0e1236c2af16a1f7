/**
 * The AI SDK's model interface, named once. The types are derived from a provider package, since the package that
 * declares them is only a dependency of the ones we depend on.
 */
import type { AnthropicProvider } from '@ai-sdk/anthropic';

export type SdkModel = ReturnType<AnthropicProvider['languageModel']>;
export type SdkCall = Parameters<SdkModel['doStream']>[0];
export type SdkPrompt = SdkCall['prompt'];
export type SdkMessage = SdkPrompt[number];
type SdkMessageOf<Role> = Extract<SdkMessage, { role: Role }>;
export type SdkUserPart = SdkMessageOf<'user'>['content'][number];
export type SdkAssistantPart = SdkMessageOf<'assistant'>['content'][number];
export type SdkToolPart = Extract<SdkMessageOf<'tool'>['content'][number], { type: 'tool-result' }>;
type SdkStream = Awaited<ReturnType<SdkModel['doStream']>>['stream'];
export type SdkStreamPart = SdkStream extends ReadableStream<infer Part> ? Part : never;
export type SdkOptions = NonNullable<SdkCall['providerOptions']>;
