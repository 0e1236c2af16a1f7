import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { toSafeCoderError } from '../../src/base/errors.ts';
import { createModel } from '../../src/providers/create-model.ts';
import type { ConversationMessage } from '../../src/providers/model.ts';
import { NETWORK_PROVIDERS } from '../../src/providers/model-id.ts';
import type { Fault } from '../support/fake-model/script.ts';
import { openFakeModel } from '../support/fake-model/server.ts';

const KEY = 'sk-live-"quoted"/Zm9v+secret=';
const HEADER = 'Bearer other-secret-token';
const FORMS = [
  KEY,
  encodeURIComponent(KEY),
  JSON.stringify(KEY).slice(1, -1),
  Buffer.from(KEY).toString('base64'),
];
const HELLO: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'Hello' }] };

/** Everything that a log, a crash report, `--json` or a debugger could print of an error, causes included. */
function everythingIn(error: unknown): string {
  const texts: string[] = [];
  for (let each: unknown = error; each !== undefined && each !== null; ) {
    texts.push(String(each), inspect(each, { depth: 20, showHidden: true }), JSON.stringify(each) ?? '');
    if (each instanceof Error) {
      for (const name of Object.getOwnPropertyNames(each))
        texts.push(inspect(Reflect.get(each, name), { depth: 20 }));
    }
    each = each instanceof Error ? each.cause : undefined;
  }
  return texts.join('\n');
}

const echo = (form: string) => `you sent ${form} and ${HEADER} and other-secret-token`;
const FAULTS: Fault[] = [
  ...FORMS.map((form): Fault => ({ kind: 'status', status: 401, message: echo(form) })),
  ...[400, 404, 429, 500].map(
    (code): Fault => ({ kind: 'status', status: code, message: echo(KEY), code: KEY }),
  ),
  { kind: 'error-event', events: 2, code: KEY },
  { kind: 'reset', events: 0 },
  { kind: 'reset', events: 2 },
  { kind: 'close', events: 2 },
  { kind: 'stall', events: 1 },
];

describe.each(NETWORK_PROVIDERS)('the key for %s', (provider) => {
  it.each(FAULTS)('is in no error, whatever the server echoes: %o', async (fault) => {
    await using fake = await openFakeModel([{ text: 'one two three four five', fault }]);
    const error = await failure(provider, fake.url);
    // The key really was sent, so that its absence means something.
    expect(JSON.stringify(fake.requests[0]?.headers)).toContain(
      JSON.stringify(KEY).slice(1, -1).slice(0, 12),
    );
    for (const secret of [...FORMS, HEADER, 'other-secret-token']) {
      expect(everythingIn(error)).not.toContain(secret);
    }
  });

  it('is in no error in part either, where a long message is cut', async () => {
    for (const padding of [380, 385, 390, 395, 399]) {
      const message = `${'x'.repeat(padding)}${KEY}`;
      await using fake = await openFakeModel([{ fault: { kind: 'status', status: 401, message } }]);
      const text = everythingIn(await failure(provider, fake.url));
      expect(text).toContain('xxx');
      expect(text).not.toContain(KEY.slice(0, 4));
    }
  });

  it('is in no error of a server that is not there', async () => {
    expect(everythingIn(await failure(provider, 'http://127.0.0.1:1'))).not.toContain(KEY);
  });

  it('is not sent to where a server redirects to', async () => {
    await using other = await openFakeModel([{ text: 'caught' }]);
    const headers = { location: `${other.url}/v1/chat/completions` };
    await using fake = await openFakeModel([{ fault: { kind: 'status', status: 307, headers } }]);
    await failure(provider, fake.url);
    expect(other.requests).toEqual([]);
  });
});

it('is refused in the address, where it would be printed', () => {
  const make = () =>
    createModel({ provider: 'anthropic', name: 'm', baseUrl: 'https://user:hunter2222@host/v1' });
  expect(make).toThrow();
  try {
    make();
  } catch (error) {
    expect(everythingIn(error)).not.toContain('hunter2222');
  }
});

async function failure(provider: (typeof NETWORK_PROVIDERS)[number], baseUrl: string): Promise<unknown> {
  const name = provider === 'openai' ? 'gpt-5' : 'fake';
  const headers = { 'x-extra': HEADER };
  const model = createModel({ provider, name, baseUrl, apiKey: KEY, headers, stallMs: 200 });
  const request = { system: 'sys', tools: [], messages: [HELLO] };
  try {
    for await (const part of model.stream(request, new AbortController().signal)) {
      if (part.type === 'stop') throw new Error('the request did not fail');
    }
  } catch (error) {
    return toSafeCoderError(error);
  }
  throw new Error('the request did not fail');
}
