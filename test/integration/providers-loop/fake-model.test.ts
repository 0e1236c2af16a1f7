import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseScript } from '../../support/fake-model/script.ts';
import { openFakeModel } from '../../support/fake-model/server.ts';
import { temporaryFolder } from '../../support/temp.ts';

async function post(url: string, body: unknown): Promise<Response> {
  return await fetch(url, { method: 'POST', body: JSON.stringify(body) });
}

describe('the fake model notices', () => {
  const user = { role: 'user', content: 'hi' };
  const call = { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'x', input: {} }] };
  const result = (...ids: string[]) => ({
    role: 'user',
    content: ids.map((id) => ({ type: 'tool_result', tool_use_id: id, content: 'ok' })),
  });
  it.each([
    ['a call without an answer', [user, call, user], 'answered by []'],
    ['a last call without an answer', [user, call], 'have no answer'],
    ['an answer to no call', [user, { role: 'assistant', content: 'x' }, result('a')], 'answered by [a]'],
    ['an answer given twice', [user, call, result('a', 'a')], 'answered by [a a]'],
    ['two user turns', [user, user], 'two user turns'],
    ['an empty text', [{ role: 'user', content: '' }], 'empty or blank'],
    [
      'a beginning by the assistant',
      [{ role: 'assistant', content: 'x' }, user],
      'does not begin with the user',
    ],
  ])('%s', async (_, messages, sentence) => {
    await using fake = await openFakeModel([{ text: 'ok' }]);
    await (await post(`${fake.url}/v1/messages`, { messages })).text();
    expect(fake.violations.join('\n')).toContain(sentence);
  });

  it('a system prompt or tools that change, and a script that is over', async () => {
    await using fake = await openFakeModel([{ text: 'ok' }, { text: 'ok' }]);
    for (const system of ['a', 'b', 'b']) {
      const tools = system === 'a' ? [] : [{ name: 'x' }];
      await (await post(`${fake.url}/v1/messages`, { system, tools, messages: [user] })).text();
    }
    expect(fake.violations).toEqual([
      'the system prompt changed',
      'the tools changed',
      'more requests than replies',
    ]);
  });

  it('reasoning that is not sent back', async () => {
    const reply = { reasoning: { text: 't', signature: 'SIG' }, calls: [{ tool: 'x', id: 'a' }] };
    await using fake = await openFakeModel([reply, { text: 'ok' }]);
    await (await post(`${fake.url}/v1/messages`, { messages: [user] })).text();
    await (await post(`${fake.url}/v1/messages`, { messages: [user, call, result('a')] })).text();
    expect(fake.violations).toEqual(['SIG was not sent back']);
  });
});

it('runs as a program that prints its address and its violations', async () => {
  const script = join(temporaryFolder(), 'script.json');
  writeFileSync(script, JSON.stringify([{ text: 'Hello from the script.' }]));
  const main = fileURLToPath(new URL('../../support/fake-model/main.ts', import.meta.url));
  const child = spawn(process.execPath, [main, '--port', '0', '--script', script], { stdio: 'pipe' });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  try {
    const url = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (chunk) => resolve(String(chunk).trim()));
      child.once('exit', () => reject(new Error(`the program ended: ${errors}`)));
    });
    const answer = await (await post(`${url}/v1/chat/completions`, { messages: [] })).text();
    expect(answer).toContain('Hello');
    expect(await (await fetch(`${url}/state`)).json()).toMatchObject({ requests: 1, remaining: 0 });
  } finally {
    child.kill('SIGTERM');
  }
  expect(await ended).toBe(1);
  expect(errors).toContain('does not begin with the user');
});

it('reads a script as an array or as lines, and refuses what it does not know', () => {
  expect(parseScript('[{"text":"a"},{"text":"b"}]')).toEqual(parseScript('{"text":"a"}\n\n{"text":"b"}\n'));
  expect(() => parseScript('{"txet":"a"}')).toThrow();
});
