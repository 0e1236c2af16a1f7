/** The fake model as a program: `node test/support/fake-model/main.ts --port 0 --script FILE` prints its address. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseScript } from './script.ts';
import { openFakeModel } from './server.ts';

const { values } = parseArgs({
  options: { port: { type: 'string', default: '0' }, script: { type: 'string' } },
});
const script = values.script === undefined ? [] : parseScript(readFileSync(values.script, 'utf8'));
const model = await openFakeModel(script, Number(values.port));
process.stdout.write(`${model.url}\n`);
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await model[Symbol.asyncDispose]();
    process.exitCode = model.violations.length === 0 ? 0 : 1;
    for (const violation of model.violations) process.stderr.write(`${violation}\n`);
  });
}
