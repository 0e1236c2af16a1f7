/** Why a container can't be had from an engine, with the exact mend. */
import { isSafeCoderError } from '../../base/errors.ts';
import type { BackendMissing } from '../backend.ts';
import { type Engine, messageOf, objectOf } from './engine.ts';

export interface EngineFacts {
  cpus: number;
  /** The image by its content, so that a tag that moves meanwhile changes nothing. */
  imageId: string;
  imageEnv: string[];
}

/** What was asked for, as the person wrote it. */
export interface Wanted {
  image: string;
  runtime?: string;
}

/** Names and digests of images; nothing that means something in an address. */
const IMAGE_NAME = /^[a-z0-9][a-z0-9._\-/:@]{0,254}$/i;
/** The agent is built for this. */
const ARCHITECTURE = 'amd64';

/** The engine's facts when all is there, else what is missing. Throws `cancelled`. */
export async function examine(
  engine: Engine,
  { image, runtime }: Wanted,
  signal?: AbortSignal,
): Promise<EngineFacts | BackendMissing> {
  if (!IMAGE_NAME.test(image) || image.includes('..')) {
    return { reason: `${JSON.stringify(image)} is no image's name.`, mend: 'Name one: --image debian:12' };
  }
  const info = await engine.ask('GET', '/info', { signal }).catch((error: unknown) => {
    if (!isSafeCoderError(error, 'backend/unavailable')) throw error;
    return unreachable(engine, String(error.details?.errno ?? ''), error.message);
  });
  if ('reason' in info) return info;
  if (info.status !== 200) {
    return {
      reason: `The Docker engine refused: ${messageOf(info)}`,
      mend: 'See its log: journalctl -u docker',
    };
  }
  const facts = objectOf(info.body);
  const lack = unsuitable(facts, runtime);
  if (lack !== undefined) return lack;
  const found = await engine.ask('GET', `/images/${image}/json`, { signal });
  if (found.status === 404) {
    return { reason: `The Docker engine has no image ${image}.`, mend: pullCommand(engine, image) };
  }
  if (found.status !== 200) {
    return {
      reason: `The image ${image} can't be used: ${messageOf(found)}`,
      mend: pullCommand(engine, image),
    };
  }
  return imageFacts(engine, objectOf(found.body), image, Number(facts.NCPU) || 1);
}

function unsuitable(facts: Record<string, unknown>, runtime: string | undefined): BackendMissing | undefined {
  if (facts.OSType !== 'linux') {
    return {
      reason: `The Docker engine runs ${String(facts.OSType)} containers.`,
      mend: 'Switch it to Linux containers, or name another engine by DOCKER_HOST.',
    };
  }
  const runtimes = Object.keys((facts.Runtimes ?? {}) as Record<string, unknown>);
  if (runtime === undefined || runtimes.includes(runtime)) return undefined;
  return {
    reason: `The Docker engine has no runtime ${JSON.stringify(runtime)}; it has ${runtimes.sort().join(', ')}.`,
    mend: `Add it under "runtimes" in the engine's /etc/docker/daemon.json and restart the engine.`,
  };
}

function imageFacts(
  engine: Engine,
  image: Record<string, unknown>,
  name: string,
  cpus: number,
): EngineFacts | BackendMissing {
  if (image.Os !== 'linux' || image.Architecture !== ARCHITECTURE) {
    return {
      reason: `The image ${name} is for ${String(image.Os)}/${String(image.Architecture)}; the guest agent runs on linux/${ARCHITECTURE}.`,
      mend: pullCommand(engine, `--platform linux/${ARCHITECTURE} ${name}`),
    };
  }
  const config = (image.Config ?? {}) as { Env?: unknown };
  const imageEnv = Array.isArray(config.Env) ? config.Env.filter((line) => typeof line === 'string') : [];
  return { cpus, imageId: String(image.Id), imageEnv };
}

function unreachable(engine: Engine, errno: string, message: string): BackendMissing {
  const { socket, name } = engine.address;
  if (socket !== undefined && errno === 'EACCES') {
    return {
      reason: `This user may not use the Docker engine at ${socket}.`,
      mend: 'sudo usermod -aG docker "$USER", and log in again. Whoever is in that group can become root on this machine.',
    };
  }
  if (socket === undefined)
    return { reason: message, mend: 'Check DOCKER_HOST: is its engine up, and reachable from here?' };
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  const start = `${sudo}systemctl start docker`;
  return {
    reason: `No Docker engine answers at ${name} (${errno || message}).`,
    mend: `${sudo}apt-get install -y --no-install-recommends docker.io; when it is installed: ${start}. For another engine, set DOCKER_HOST.`,
  };
}

function pullCommand(engine: Engine, image: string): string {
  const isUsual = engine.address.name === 'unix:///var/run/docker.sock';
  return `docker ${isUsual ? '' : `-H ${engine.address.name} `}pull ${image}`;
}
