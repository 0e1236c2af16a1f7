import { describe, expect, it } from 'vitest';
import { SafeCoderError } from '../../../src/base/errors.ts';
import { createTools } from '../../../src/tools/create-tools.ts';
import { FakeSandbox, toolRunner } from '../../support/fake-sandbox.ts';

const tools = createTools();
const { run } = toolRunner(new FakeSandbox({ a: 'x\n' }), tools);

/** Every object schema inside a JSON schema. */
function objectsIn(schema: unknown): Record<string, unknown>[] {
  if (typeof schema !== 'object' || schema === null) return [];
  const inner = Object.values(schema).flatMap(objectsIn);
  return 'type' in schema && schema.type === 'object' ? [{ ...schema }, ...inner] : inner;
}

describe('tool inputs', () => {
  it('are described by strict JSON schemas of plain objects', () => {
    expect(tools.map((tool) => tool.name)).toEqual([
      'read',
      'write',
      'edit',
      'bash',
      'bash_output',
      'bash_kill',
      'glob',
      'grep',
      'todo',
    ]);
    for (const tool of tools) {
      expect(tool.inputSchema.type).toBe('object');
      expect(tool.inputSchema).not.toHaveProperty('$schema');
      const objects = objectsIn(tool.inputSchema);
      expect(objects.length).toBeGreaterThan(0);
      for (const object of objects) expect(object.additionalProperties).toBe(false);
    }
  });

  it('are the same at every start, so that prompts can be cached', () => {
    const again = createTools();
    expect(JSON.stringify(again)).toBe(JSON.stringify(tools));
  });

  it('are refused with the field, what is wrong and an example', async () => {
    const result = await run('read', { path: 'a', offset: 'ten' });
    expect(result.ok).toBe(false);
    expect(result.text).toMatch(
      /^Invalid input for read:\n- offset: expected number, received string\nExample of a valid input: \{"path"/,
    );
    expect((await run('read', {})).text).toContain('- path: expected string, but it is missing');
    expect((await run('edit', { path: 'a', edits: [{ old_string: 'x' }] })).text).toContain(
      '- edits[0].new_string:',
    );
  });

  it('are refused with the right name for a field of another program', async () => {
    expect((await run('read', { file_path: 'a' })).text).toContain(
      'unknown field "file_path", did you mean "path"?',
    );
    expect((await run('bash', { cmd: 'ls' })).text).toContain('did you mean "command"?');
    expect((await run('bash', { command: 'ls', escalate: true })).text).toContain('unknown field "escalate"');
  });

  it('are refused when they are no object at all', async () => {
    for (const input of ['ls', null, 3, [], undefined]) {
      expect((await run('bash', input)).ok).toBe(false);
    }
  });

  it('may hold null for a field that is optional', async () => {
    expect((await run('read', { path: 'a', offset: null, limit: null })).text).toBe('1\tx');
  });

  it('may not ask for a longer time than there is', async () => {
    expect((await run('bash', { command: 'ls', timeout_ms: 600_001 })).text).toContain('timeout_ms');
  });
});

describe('tool failures', () => {
  it('that the session has to know of are thrown', async () => {
    for (const code of ['guest/lost', 'guest/bad-frame', 'guest/timeout', 'cancelled'] as const) {
      const sandbox = new FakeSandbox();
      sandbox.stat = () => Promise.reject(new SafeCoderError(code, 'gone'));
      sandbox.script = () => Promise.reject(new SafeCoderError(code, 'gone'));
      const runner = toolRunner(sandbox, createTools());
      for (const [name, input] of [
        ['read', { path: 'a' }],
        ['write', { path: 'a', content: '' }],
        ['grep', { pattern: 'a' }],
      ] as const) {
        await expect(runner.run(name, input)).rejects.toMatchObject({ code });
      }
    }
  });

  it('that only the model has to know of are results', async () => {
    const sandbox = new FakeSandbox();
    sandbox.stat = () =>
      Promise.reject(new SafeCoderError('guest/limit', 'Too long.', { hint: 'Shorten it.' }));
    const result = await toolRunner(sandbox, createTools()).run('read', { path: 'a' });
    expect(result).toMatchObject({ ok: false, text: 'Too long. Shorten it.' });
  });

  it('end before they begin when the call is cancelled already', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(run('read', { path: 'a' }, { signal: controller.signal })).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});

describe('todo', () => {
  it('replaces the list, shows it, and warns of more than one step in progress', async () => {
    const items = [
      { content: 'one', status: 'completed' },
      { content: 'two', status: 'in_progress', priority: 'high' },
      { content: 'three', status: 'in_progress' },
    ];
    const result = await run('todo', { items });
    expect(result.text).toBe(
      '1 of 3 done\n[x] one\n[>] two (high)\n[>] three\nWarning: 2 items are in_progress; work on one at a time.',
    );
    expect(result.meta).toEqual({ items });
    expect((await run('todo', { items: [] })).text).toBe('The list is empty.');
  });
});
