/** Opens a sandbox in an engine, says so, and waits to be killed: run as a process of its own by a test. */
import { fileURLToPath } from 'node:url';
import { rgPath } from '@vscode/ripgrep';
import { createDockerBackend } from '../../src/backends/docker/docker-backend.ts';
import { resolveEngine } from '../../src/backends/docker/engine-address.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { plainSpec } from './plain-spec.ts';
import { createProject, sourceOf } from './test-project.ts';

const [host, image, runDir] = process.argv.slice(2) as [string, string, HostPath];
const sandbox = await openSandbox({
  backend: createDockerBackend({
    engine: resolveEngine({ host, home: runDir }),
    image,
    agentBinary: fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath,
    rgBinary: rgPath as HostPath,
  }),
  spec: plainSpec(runDir, 'child'),
  source: sourceOf(createProject({ file: { content: 'x' } })),
  signal: new AbortController().signal,
  emit: () => undefined,
});
await sandbox.exec({ argv: ['sleep', '1000'], onOutput: () => undefined });
console.log('running');
setInterval(() => sandbox.id, 1000);
