/** OpenAI Chat Completions, `POST /v1/chat/completions`, with the oddities of compatible servers. */
import { type NumberedReply, pieces, sse } from './script.ts';
import { at, list, type ReadRequest, type Turn } from './turn.ts';

export function writeChat(reply: NumberedReply): string[] {
  const base = { id: `chatcmpl-${reply.serial}`, object: 'chat.completion.chunk', created: 1, model: 'fake' };
  const events: string[] = [];
  const chunk = (delta: Record<string, unknown>, finish: string | null = null) =>
    events.push(sse({ ...base, choices: [{ index: 0, delta, finish_reason: finish }] }));
  chunk({ role: 'assistant', content: '' });
  for (const text of pieces(reply.reasoning?.text ?? '')) chunk({ reasoning_content: text });
  for (const text of pieces(reply.text ?? '')) chunk({ content: text });
  for (const delta of callDeltas(reply)) chunk({ tool_calls: [delta] });
  const normal = reply.calls.length > 0 && !reply.quirks?.stopDespiteCalls ? 'tool_calls' : 'stop';
  const reasons = { length: 'length', refused: 'content_filter' };
  chunk({}, reply.stop === undefined ? normal : reasons[reply.stop]);
  if (reply.usage !== null) {
    const { input, output, cached = 0 } = reply.usage ?? { input: 10, output: 5 };
    const usage = {
      prompt_tokens: input,
      completion_tokens: output,
      total_tokens: input + output,
      prompt_tokens_details: { cached_tokens: cached },
    };
    events.push(sse({ ...base, choices: [], usage }));
  }
  if (!reply.quirks?.noDone) events.push(sse('[DONE]'));
  return events;
}

function callDeltas(reply: NumberedReply): Record<string, unknown>[] {
  return reply.calls.flatMap((call, place) => {
    const index = reply.quirks?.noIndex ? {} : { index: place };
    const first = { ...index, id: call.id, type: 'function' };
    if (reply.quirks?.oneChunk) {
      return [{ ...first, function: { name: call.tool, arguments: call.argumentsText } }];
    }
    const start = { ...first, function: { name: call.tool, arguments: '' } };
    const repeated = reply.quirks?.repeatId ? first : index;
    const rest = pieces(call.argumentsText).map((text) => ({ ...repeated, function: { arguments: text } }));
    return [start, ...rest];
  });
}

export function writeChatError(message: string, code: string): { body: unknown; event: string } {
  const body = { error: { message, type: code, code, param: null } };
  return { body, event: sse(body) };
}

export function readChat(body: unknown): ReadRequest {
  const turns: Turn[] = [];
  for (const message of list(at(body, 'messages'))) {
    const role = at(message, 'role');
    if (role === 'system' || role === 'developer') continue;
    const content = at(message, 'content');
    const texts =
      typeof content === 'string' ? [content] : list(content).map((each) => String(at(each, 'text') ?? 'x'));
    if (role === 'tool') {
      const last = turns.at(-1);
      const id = String(at(message, 'tool_call_id'));
      if (last?.role === 'results') last.results.push(id);
      else turns.push({ role: 'results', calls: [], results: [id], texts: [] });
      if (texts.join('') === '') turns.at(-1)?.texts.push('');
      continue;
    }
    const calls = list(at(message, 'tool_calls')).map((call) => String(at(call, 'id')));
    turns.push({ role: role === 'assistant' ? 'assistant' : 'user', calls, results: [], texts });
  }
  const system = list(at(body, 'messages')).filter((each) => at(each, 'role') === 'system');
  return { turns, system, tools: at(body, 'tools'), model: String(at(body, 'model')) };
}
