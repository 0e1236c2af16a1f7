import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Modules that a fresh process loads for the given code. */
function modulesOf(code: string): string[] {
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ resolve(specifier, context, next) { seen.add(specifier); return next(specifier, context); } });`;
  const program = `${hook}\nconst seen = new Set(); ${code}\nprocess.stdout.write(JSON.stringify([...seen]));`;
  const source = new URL('../../../src/', import.meta.url).href;
  const args = ['--input-type=module', '-e', program.replaceAll('SRC/', source)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
}

it('loads no library before a model is asked, and then only the one of its provider', () => {
  const create = `const { createModel } = await import('SRC/providers/create-model.ts');
    const model = createModel({ provider: 'anthropic', name: 'm', baseUrl: 'http://127.0.0.1:1', apiKey: 'k' });`;
  const before = modulesOf(create);
  expect(
    before.filter((each) => each.startsWith('@ai-sdk/') || each === 'ai' || each.startsWith('zod')),
  ).toEqual([]);
  const ask = `${create} const request = { system: '', tools: [], messages: [{ role: 'user', parts: [{ type: 'text', text: 'hi' }] }] };
    try { for await (const _ of model.stream(request, new AbortController().signal)); } catch {}`;
  const after = modulesOf(ask);
  expect(after).toContain('@ai-sdk/anthropic');
  for (const other of ['@ai-sdk/openai', '@ai-sdk/google', '@ai-sdk/openai-compatible']) {
    expect(after).not.toContain(other);
  }
});
