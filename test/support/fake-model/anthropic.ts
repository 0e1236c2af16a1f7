/** Anthropic Messages, `POST /v1/messages`. */
import { type NumberedReply, pieces, sse } from './script.ts';
import { at, list, type ReadRequest, type Turn } from './turn.ts';

export function writeAnthropic(reply: NumberedReply): string[] {
  const usage = reply.usage ?? { input: 10, output: 5 };
  const events: string[] = [];
  const send = (data: { type: string } & Record<string, unknown>) => events.push(sse(data, data.type));
  const cached = usage.cached ?? 0;
  send({
    type: 'message_start',
    message: {
      id: `msg_${reply.serial}`,
      type: 'message',
      role: 'assistant',
      model: 'claude-fake',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: {
        input_tokens: usage.input - cached,
        cache_creation_input_tokens: 0,
        cache_read_input_tokens: cached,
        output_tokens: 1,
      },
    },
  });
  let index = 0;
  const block = (start: Record<string, unknown>, deltas: Record<string, unknown>[]) => {
    send({ type: 'content_block_start', index, content_block: start });
    send({ type: 'ping' });
    for (const delta of deltas) send({ type: 'content_block_delta', index, delta });
    send({ type: 'content_block_stop', index });
    index++;
  };
  if (reply.reasoning !== undefined) {
    const thinking = pieces(reply.reasoning.text).map((text) => ({ type: 'thinking_delta', thinking: text }));
    const signature = { type: 'signature_delta', signature: reply.reasoning.signature };
    block({ type: 'thinking', thinking: '', signature: '' }, [...thinking, signature]);
  }
  if (reply.text !== undefined) {
    block(
      { type: 'text', text: '' },
      pieces(reply.text).map((text) => ({ type: 'text_delta', text })),
    );
  }
  for (const call of reply.calls) {
    const deltas = pieces(call.argumentsText).map((text) => ({
      type: 'input_json_delta',
      partial_json: text,
    }));
    block({ type: 'tool_use', id: call.id, name: call.tool, input: {} }, deltas);
  }
  const normal = reply.calls.length > 0 ? 'tool_use' : 'end_turn';
  const reasons = { length: 'max_tokens', refused: 'refusal' };
  const stop = reply.stop === undefined ? normal : reasons[reply.stop];
  const delta = { stop_reason: stop, stop_sequence: null };
  send({ type: 'message_delta', delta, usage: { output_tokens: usage.output } });
  send({ type: 'message_stop' });
  return events;
}

export function writeAnthropicError(message: string, code: string): { body: unknown; event: string } {
  const body = { type: 'error', error: { type: code, message } };
  return { body, event: sse(body, 'error') };
}

export function readAnthropic(body: unknown): ReadRequest {
  const turns = list(at(body, 'messages')).map((message): Turn => {
    const content = at(message, 'content');
    const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : list(content);
    const of = (type: string, key: string) =>
      blocks.filter((each) => at(each, 'type') === type).map((each) => String(at(each, key)));
    const role = at(message, 'role') === 'assistant' ? 'assistant' : 'user';
    const texts = blocks.length === 0 ? [''] : of('text', 'text');
    return { role, calls: of('tool_use', 'id'), results: of('tool_result', 'tool_use_id'), texts };
  });
  return { turns, system: at(body, 'system'), tools: at(body, 'tools'), model: String(at(body, 'model')) };
}
