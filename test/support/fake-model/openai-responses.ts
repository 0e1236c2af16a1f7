/** OpenAI Responses, `POST /v1/responses`. */
import { type NumberedReply, pieces, sse } from './script.ts';
import { at, list, type ReadRequest, type Turn } from './turn.ts';

export function writeResponses(reply: NumberedReply): string[] {
  const events: string[] = [];
  const send = (data: { type: string } & Record<string, unknown>) =>
    events.push(sse({ ...data, sequence_number: events.length }, data.type));
  const response = {
    id: `resp_${reply.serial}`,
    object: 'response',
    created_at: 1,
    model: 'fake',
    output: [],
  };
  send({ type: 'response.created', response: { ...response, status: 'in_progress' } });
  let index = 0;
  const item = (start: Record<string, unknown>, end: Record<string, unknown>, middle: () => void) => {
    send({ type: 'response.output_item.added', output_index: index, item: start });
    middle();
    send({ type: 'response.output_item.done', output_index: index, item: end });
    index++;
  };
  const { reasoning, text } = reply;
  if (reasoning !== undefined) {
    const id = `rs_${reply.serial}`;
    const place = { item_id: id, output_index: index, summary_index: 0 };
    const summary = [{ type: 'summary_text', text: reasoning.text }];
    const start = { type: 'reasoning', id, summary: [], encrypted_content: null };
    item(start, { ...start, summary, encrypted_content: reasoning.signature }, () => {
      send({
        type: 'response.reasoning_summary_part.added',
        ...place,
        part: { type: 'summary_text', text: '' },
      });
      for (const delta of pieces(reasoning.text)) {
        send({ type: 'response.reasoning_summary_text.delta', ...place, delta });
      }
      send({ type: 'response.reasoning_summary_part.done', ...place, part: summary[0] });
    });
  }
  if (text !== undefined) {
    const id = `msg_${reply.serial}`;
    const start = { type: 'message', id, role: 'assistant', status: 'in_progress', content: [] };
    const content = [{ type: 'output_text', text, annotations: [] }];
    item(start, { ...start, status: 'completed', content }, () => {
      for (const delta of pieces(text)) {
        const place = { item_id: id, output_index: index, content_index: 0 };
        send({ type: 'response.output_text.delta', ...place, delta, logprobs: [] });
      }
    });
  }
  for (const [place, call] of reply.calls.entries()) {
    const id = `fc_${reply.serial}_${place}`;
    const start = {
      type: 'function_call',
      id,
      call_id: call.id,
      name: call.tool,
      arguments: '',
      status: 'in_progress',
    };
    item(start, { ...start, arguments: call.argumentsText, status: 'completed' }, () => {
      const target = { item_id: id, output_index: index };
      for (const delta of pieces(call.argumentsText)) {
        send({ type: 'response.function_call_arguments.delta', ...target, delta });
      }
      send({ type: 'response.function_call_arguments.done', ...target, arguments: call.argumentsText });
    });
  }
  const { input, output, cached = 0 } = reply.usage ?? { input: 10, output: 5 };
  const usage = {
    input_tokens: input,
    input_tokens_details: { cached_tokens: cached },
    output_tokens: output,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: input + output,
  };
  const reasons = { length: 'max_output_tokens', refused: 'content_filter' };
  if (reply.stop === undefined) {
    send({
      type: 'response.completed',
      response: { ...response, status: 'completed', incomplete_details: null, usage },
    });
  } else {
    const incomplete_details = { reason: reasons[reply.stop] };
    send({
      type: 'response.incomplete',
      response: { ...response, status: 'incomplete', incomplete_details, usage },
    });
  }
  return events;
}

export function writeResponsesError(message: string, code: string): { body: unknown; event: string } {
  const failed = {
    type: 'response.failed',
    sequence_number: 99,
    response: { id: 'resp_x', object: 'response', status: 'failed', error: { code, message } },
  };
  return { body: { error: { message, type: code, code, param: null } }, event: sse(failed, failed.type) };
}

export function readResponses(body: unknown): ReadRequest {
  const turns: Turn[] = [];
  const grow = (role: Turn['role']): Turn => {
    const last = turns.at(-1);
    if (last?.role === role) return last;
    const turn: Turn = { role, calls: [], results: [], texts: [] };
    turns.push(turn);
    return turn;
  };
  const input = list(at(body, 'input'));
  for (const item of input) {
    const role = at(item, 'role');
    if (role === 'system' || role === 'developer') continue;
    const type = at(item, 'type');
    if (type === 'function_call') grow('assistant').calls.push(String(at(item, 'call_id')));
    else if (type === 'function_call_output') {
      grow('results').results.push(String(at(item, 'call_id')));
      if (at(item, 'output') === '') grow('results').texts.push('');
    } else if (type === 'reasoning') grow('assistant');
    else {
      const texts = list(at(item, 'content')).map((each) => String(at(each, 'text') ?? 'x'));
      grow(role === 'assistant' ? 'assistant' : 'user').texts.push(...texts);
    }
  }
  const system = input.filter((item) => at(item, 'role') === 'system' || at(item, 'role') === 'developer');
  return { turns, system, tools: at(body, 'tools'), model: String(at(body, 'model')) };
}
