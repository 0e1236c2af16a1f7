import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ConsoleTail } from '../../../../src/backends/qemu/console-tail.ts';
import { Qmp } from '../../../../src/backends/qemu/qmp.ts';
import { temporaryFolder } from '../../../support/temp.ts';

/** A connection to a made-up QEMU that answers each command with what `answer` gives. */
async function openQmp(answer: (command: string, socket: Socket) => string | undefined): Promise<Qmp> {
  const path = `${temporaryFolder()}/qmp`;
  const server = createServer((socket) => {
    socket.write('{"QMP": {"version": {}}}\r\n');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString();
      for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
        const { execute } = JSON.parse(text.slice(0, end)) as { execute: string };
        text = text.slice(end + 1);
        const said = execute === 'qmp_capabilities' ? '{"return": {}}' : answer(execute, socket);
        if (said !== undefined) socket.write(`${said}\r\n`);
      }
    });
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  onTestFinished(() => {
    server.close();
  });
  const qmp = await Qmp.open(connect(path));
  onTestFinished(() => qmp[Symbol.dispose]());
  return qmp;
}

test('answers are matched by order, and events between them are passed over', async () => {
  const qmp = await openQmp((command) => `{"event": "RESUME"}\r\n{"return": "${command}"}`);
  expect(await Promise.all([qmp.run('one'), qmp.run('two')])).toEqual(['one', 'two']);
});

test('a refusal is an error with the command and the reason', async () => {
  const qmp = await openQmp(() => '{"error": {"class": "GenericError", "desc": "no such thing"}}');
  await expect(qmp.run('migrate')).rejects.toMatchObject({
    code: 'backend/boot-failed',
    message: expect.stringMatching(/migrate.*no such thing/),
  });
});

test('a closed socket, an answer that is no JSON and an endless line fail what waits and what comes later', async () => {
  const answers = [
    (_: string, socket: Socket) => void socket.destroy(),
    () => 'not json',
    () => 'x'.repeat(3 << 20),
  ];
  for (const answer of answers) {
    const qmp = await openQmp(answer);
    await expect(qmp.run('stop')).rejects.toMatchObject({ code: 'backend/boot-failed' });
    await expect(qmp.run('cont')).rejects.toMatchObject({ code: 'backend/boot-failed' });
  }
});

test('a migration that fails says why', async () => {
  const qmp = await openQmp(() => '{"return": {"status": "failed", "error-desc": "wrong machine"}}');
  await expect(qmp.finishMigration(1000)).rejects.toMatchObject({
    message: expect.stringContaining('wrong machine'),
  });
});

test("the console's tail stays small and shows no control character, whatever the guest writes", () => {
  const tail = new ConsoleTail();
  for (let count = 0; count < 100; count++) tail.add(Buffer.alloc(100_000, 'x'));
  tail.add(Buffer.from('\r\n\x1b[31mred\x1b[0m\x1b]0;title\x07\r\n\u202ebidi\r\n'));
  const text = tail.text();
  expect(text.length).toBeLessThan(20 * 220);
  expect(text).toMatch(/^[\x20-\x7e\n]*$/);
  expect(text.split('\n').at(-2)).toContain('red');
  expect(text).not.toContain('\x1b');
});

test('an empty console has an empty tail', () => {
  expect(new ConsoleTail().text()).toBe('');
});
