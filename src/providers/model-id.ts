/** Model names as people write them: `PROVIDER/NAME`, where NAME may hold slashes and colons itself. */
import { SafeCoderError } from '../base/errors.ts';
import { nearestWithin } from '../base/nearest.ts';

/** Providers that {@link createModel} can talk to over the network. */
export const NETWORK_PROVIDERS = [
  'anthropic',
  'openai',
  'google',
  'openrouter',
  'ollama',
  'openai-compatible',
] as const;

export type NetworkProvider = (typeof NETWORK_PROVIDERS)[number];
/** `replay` plays a recorded conversation; its NAME is a file. */
export type ProviderName = NetworkProvider | 'replay';

export interface ModelId {
  provider: ProviderName;
  name: string;
}

const PROVIDERS: readonly ProviderName[] = [...NETWORK_PROVIDERS, 'replay'];

/** Splits `PROVIDER/NAME` at the first slash. Throws `config/no-model` that names the nearest provider. */
export function parseModelId(text: string): ModelId {
  const slash = text.indexOf('/');
  const provider = slash < 0 ? text : text.slice(0, slash);
  const name = slash < 0 ? '' : text.slice(slash + 1).trim();
  const known = PROVIDERS.find((each) => each === provider);
  if (known !== undefined && name !== '') return { provider: known, name };
  if (known !== undefined) {
    throw new SafeCoderError('config/no-model', `The model ${JSON.stringify(text)} has no name.`, {
      hint: `Write PROVIDER/NAME, for example ${known}/${EXAMPLES[known]}.`,
    });
  }
  const near = nearestWithin(provider.toLowerCase(), PROVIDERS);
  const guess = near === undefined ? '' : ` Did you mean ${near}/${name === '' ? EXAMPLES[near] : name}?`;
  throw new SafeCoderError('config/no-model', `There is no provider named ${JSON.stringify(provider)}.`, {
    hint: `Write PROVIDER/NAME; providers are ${PROVIDERS.join(', ')}.${guess}`,
  });
}

const EXAMPLES: Record<ProviderName, string> = {
  anthropic: 'claude-sonnet-4-5',
  openai: 'gpt-5.1',
  google: 'gemini-2.5-pro',
  openrouter: 'qwen/qwen3-coder',
  ollama: 'qwen3-coder:30b',
  'openai-compatible': 'my-model',
  replay: 'conversation.jsonl',
};
