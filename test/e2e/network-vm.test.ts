import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { jsonLines, runCli } from '../support/cli.ts';
import { fetchPackage } from '../support/package-cache.ts';
import { makeProject, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { openTerminal } from '../support/terminal.ts';
import { testCacheHome, vmOrSkip } from '../support/vm.ts';

const SMALL = ['--cpus', '1', '--memory', '512M', '--disk', '1G'];

const IS_NUMBER = {
  version: '7.0.0',
  sha512: '41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng==',
};

function setUp(files: Record<string, string> = { 'a.txt': 'one\n' }) {
  const home = temporaryFolder();
  const project = makeProject(home, files);
  const env = {
    XDG_CACHE_HOME: testCacheHome(),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
    SAFE_CODER_HOME: '',
  };
  return { home, project, env, run: (args: string[]) => runCli(args, { home, cwd: project, env }) };
}

/** A server on this machine's loopback, which a guest reaches only by a rule of its own. */
async function openServer(): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end('hello from the host\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, asked };
}

describe('the network of a virtual machine', () => {
  beforeEach(vmOrSkip);

  it('is the one host that was allowed, and the model learns what was refused', {
    timeout: 120_000,
  }, async () => {
    const { home, project, run } = setUp();
    const { port, asked } = await openServer();
    const script = [
      `curl -sS -m 20 http://localhost:${port}/by-name --noproxy ""`,
      'curl -sS -m 20 https://refused.test/',
      'curl -sS -m 5 --noproxy "*" http://192.0.2.1/',
    ].join('; ');
    const replay = join(home, 'conversation.jsonl');
    writeReplay(replay, [{ calls: [{ tool: 'bash', input: { command: script } }] }, { text: 'Done.' }]);
    const allow = ['--allow', `localhost:${port}`];
    const result = await run(['run', 'go', '--json', ...SMALL, ...allow, '--model', `replay/${replay}`]);
    expect(result.code, result.stderr).toBe(0);
    const events = jsonLines(result.stdout);
    const [end] = events.filter(({ type }) => type === 'tool.end');
    expect(end?.text).toContain('hello from the host');
    expect(end?.text).toContain(
      'Safe Coder refused the connection to refused.test:443: network none. The person can allow it with --allow refused.test:443.',
    );
    // Without the proxy there is no way at all.
    expect(end?.text).toMatch(/curl: \((?:7|28)\)/);
    expect(asked).toEqual(['GET /by-name']);
    expect(
      events.filter(({ type }) => type === 'egress').map(({ host, decision }) => `${host} ${decision}`),
    ).toEqual(['localhost allowed', 'refused.test denied']);
    expect(existsSync(join(project, 'x'))).toBe(false);
  });

  it('is asked about in a chat, one host at a time, also while a line is being typed', {
    timeout: 120_000,
  }, async () => {
    const { home, project, env, run } = setUp();
    const replay = join(home, 'conversation.jsonl');
    const curl = (host: string) => `curl -sS -m 60 https://${host}/`;
    writeReplay(replay, [
      { calls: [{ tool: 'bash', input: { command: `${curl('one.test')} & ${curl('two.test')}; wait` } }] },
      { text: 'Done.' },
    ]);
    const terminal = openTerminal(['chat', ...SMALL, '--network', 'ask', '--model', `replay/${replay}`], {
      home,
      cwd: project,
      env,
      patienceMs: 60_000,
    });
    await terminal.waitFor(/>$/);
    terminal.type('go\r');
    await terminal.waitFor(/wants to reach (?:one|two)\.test:443\.[\s\S]*network>$/);
    terminal.type('a\r');
    await terminal.waitFor(
      /wants to reach (?:one|two)\.test[\s\S]*wants to reach (?:one|two)\.test:443\.[\s\S]*network>/,
    );
    // What is printed meanwhile may follow the question on its line.
    terminal.type('whatever\r');
    await terminal.waitFor(/Refused; the agent is told\.[\s\S]*Done\.[\s\S]*>$/);
    terminal.type('\x04');
    expect(await terminal.exited).toBe(0);
    const kept = readFileSync(join(home, 'config/safe-coder/config.jsonc'), 'utf8');
    expect(JSON.parse(kept)).toEqual({ allow: [expect.stringMatching(/^(?:one|two)\.test:443$/)] });
    const entries = jsonLines((await run(['log', '--json'])).stdout).filter(({ tool }) => tool === 'bash');
    expect(entries[0]?.egress).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^denied (?:one|two)\.test:443 \(refused by the person\)/),
      ]),
    );
  });

  it('installs from the person’s package registry, and nothing else gets out', {
    timeout: 180_000,
  }, async (context) => {
    // Tells whether there is a registry here at all, and why not.
    await fetchPackage(context, 'is-number', IS_NUMBER);
    const { project, run } = setUp({
      'package.json': '{"name":"x","version":"1.0.0","dependencies":{"is-number":"7.0.0"}}\n',
    });
    const script =
      'npm install --no-audit 2>&1 && node -p "require(\'is-number\')(5)" && curl -sS -m 20 https://refused.test/ 2>&1';
    const result = await run(['exec', ...SMALL, '--network', 'registries', '--', 'sh', '-c', script]);
    expect(result.stdout).toMatch(/added 1 package/);
    expect(result.stdout).toMatch(/^true$/m);
    expect(result.code).toBe(56);
    expect(existsSync(join(project, 'node_modules'))).toBe(false);
    expect(readFileSync(join(project, 'package.json'), 'utf8')).toContain('is-number');
  });
});
