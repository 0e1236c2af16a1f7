/** The Docker backend as the settings and the environment ask for it. */
import { homedir } from 'node:os';
import type { Backend } from '../backends/backend.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { Context } from './context.ts';

/** What ssh may see of the environment, for an engine at `ssh://`. */
const SSH_VARIABLES = ['HOME', 'PATH', 'USER', 'SSH_AUTH_SOCK'];

interface Programs {
  agentBinary: HostPath;
  rgBinary: HostPath;
}

/** Throws `config/invalid` for a DOCKER_HOST of no known form. */
export async function createDocker(
  { config, environment }: Pick<Context, 'config' | 'environment'>,
  programs: Programs,
  onWarning: (message: string) => void,
): Promise<Backend> {
  const { createDockerBackend } = await import('../backends/docker/docker-backend.ts');
  const { resolveEngine } = await import('../backends/docker/engine-address.ts');
  const { image, dockerRuntime } = config.settings;
  return createDockerBackend({
    engine: resolveEngine({
      host: environment.DOCKER_HOST,
      tlsVerify: environment.DOCKER_TLS_VERIFY,
      certPath: environment.DOCKER_CERT_PATH,
      home: homedir() as HostPath,
      sshEnvironment: Object.fromEntries(
        SSH_VARIABLES.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])),
      ),
    }),
    image,
    ...(dockerRuntime === undefined ? {} : { runtime: dockerRuntime }),
    ...programs,
    onWarning,
  });
}
