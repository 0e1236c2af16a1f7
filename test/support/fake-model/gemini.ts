/** Gemini, `POST /v1beta/models/{model}:streamGenerateContent?alt=sse`. */
import { type NumberedReply, pieces, sse } from './script.ts';
import { at, list, type ReadRequest, type Turn } from './turn.ts';

export function writeGemini(reply: NumberedReply): string[] {
  const { input, output, cached = 0 } = reply.usage ?? { input: 10, output: 5 };
  const usageMetadata = {
    promptTokenCount: input,
    candidatesTokenCount: output,
    cachedContentTokenCount: cached,
    totalTokenCount: input + output,
  };
  const parts: Record<string, unknown>[] = [];
  for (const text of pieces(reply.reasoning?.text ?? '')) parts.push({ text, thought: true });
  for (const text of pieces(reply.text ?? '')) parts.push({ text });
  for (const [index, call] of reply.calls.entries()) {
    const signature = index === 0 && reply.reasoning ? { thoughtSignature: reply.reasoning.signature } : {};
    // Arguments that are no JSON can't be said in this format: it has objects only.
    parts.push({
      functionCall: { id: call.id, name: call.tool, args: parseArguments(call.argumentsText) },
      ...signature,
    });
  }
  if (parts.length === 0) parts.push({ text: '' });
  const reasons = { length: 'MAX_TOKENS', refused: 'SAFETY' };
  const finish = reply.stop === undefined ? 'STOP' : reasons[reply.stop];
  return parts.map((part, index) => {
    const content = { role: 'model', parts: [part] };
    const end = index === parts.length - 1 ? { finishReason: finish } : {};
    const usage = reply.usage === null ? {} : { usageMetadata };
    return sse({
      candidates: [{ index: 0, content, ...end }],
      ...usage,
      modelVersion: 'fake',
      responseId: 'r',
    });
  });
}

function parseArguments(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // See above: there is nothing else to send.
    return {};
  }
}

export function writeGeminiError(
  message: string,
  code: string,
  status: number,
  retryDelay?: string,
): { body: unknown; event: string } {
  const info = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay };
  const details = retryDelay === undefined ? [] : [info];
  const body = { error: { code: status, message, status: code, details } };
  return { body, event: sse(body) };
}

export function readGemini(body: unknown, path: string): ReadRequest {
  const turns = list(at(body, 'contents')).map((content): Turn => {
    const parts = list(at(content, 'parts'));
    const named = (key: string) => parts.filter((part) => at(part, key) !== undefined);
    const calls = named('functionCall').map((part) => String(at(part, 'functionCall', 'name')));
    const results = named('functionResponse').map((part) => String(at(part, 'functionResponse', 'name')));
    const texts = named('text').map((part) => String(at(part, 'text')));
    const ours = results.length > 0 ? 'results' : 'user';
    return {
      role: at(content, 'role') === 'model' ? 'assistant' : ours,
      calls,
      results,
      texts: parts.length === 0 ? [''] : texts,
    };
  });
  const model = /models\/([^:]+):/.exec(path)?.[1] ?? '';
  return { turns, system: at(body, 'systemInstruction'), tools: at(body, 'tools'), model };
}
