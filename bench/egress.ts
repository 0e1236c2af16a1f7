/**
 * The way out of a real VM: how long a small request through relay and proxy takes, and how fast bytes come in, against the
 * same client on the host without a proxy. Medians of several runs; ratios within one run.
 *
 *   node bench/egress.ts [--runs N]
 */
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { median, printFigure } from './figure.ts';
import { openBenchFolder } from './vm-session.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const runs = Number(values.runs);
const SIZE = 16 << 20;
const bench = openBenchFolder();

const body = Buffer.alloc(SIZE, 'x');
const server = createServer((request, response) => response.end(request.url === '/large' ? body : 'small'));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
const url = `http://localhost:${port}`;
/** curl's own time from start to end, in seconds. */
const curl = (path: string) => ['curl', '-sS', '-o', '/dev/null', '-w', '%{time_total}', `${url}${path}`];

const session = await bench.start({ allow: [`localhost:${port}`] });

async function inside(path: string): Promise<number> {
  let said = '';
  await session.exec(
    'exec',
    {
      // The guest's own loopback is not proxied unless it is said.
      argv: [...curl(path), '--noproxy', ''],
      isTold: false,
      onOutput: (chunk) => {
        said += chunk.toString();
      },
    },
    new AbortController().signal,
  );
  return Number(said) * 1000;
}

/** The host's process must be free to answer while curl runs: it is not waited for in a blocking way. */
async function outside(path: string): Promise<number> {
  const [program = '', ...args] = curl(path);
  const said = await new Promise<string>((resolve, reject) =>
    execFile(program, args, (error, stdout) => (error ? reject(error) : resolve(stdout))),
  );
  return Number(said) * 1000;
}

try {
  await inside('/small');
  for (const [what, path] of [
    ['egress: a small request', '/small'],
    [`egress: ${SIZE >> 20} MB in`, '/large'],
  ] as const) {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let run = 0; run < runs; run++) {
      ours.push(await inside(path));
      theirs.push(await outside(path));
    }
    printFigure(what, median(ours), 'curl on the host', median(theirs), { better: 'lower' });
  }
} finally {
  await session.end();
  server.close();
  bench[Symbol.dispose]();
}
