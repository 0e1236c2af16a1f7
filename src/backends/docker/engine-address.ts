/** Where a Docker engine is: what DOCKER_HOST and its companions say. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { SafeCoderError } from '../../base/errors.ts';
import { type HostPath, showPath } from '../../base/path-bytes.ts';
import { connectOverSsh } from './ssh-connection.ts';

export interface EngineSettings {
  /** DOCKER_HOST: `unix://`, `tcp://`, `http(s)://` or `ssh://`. Empty: the usual socket. */
  host?: string | undefined;
  /** DOCKER_TLS_VERIFY: anything but empty asks for TLS, with the engine's certificate checked. */
  tlsVerify?: string | undefined;
  /** DOCKER_CERT_PATH: the folder with ca.pem, cert.pem and key.pem. */
  certPath?: string | undefined;
  home: HostPath;
  /** What ssh sees of the environment, for `ssh://`. */
  sshEnvironment?: Record<string, string>;
}

export interface EngineAddress {
  /** As people write it. */
  name: string;
  /** The socket's path, when the engine is on this machine behind one. */
  socket?: HostPath;
  /** True when what is said to the engine can be read on the way. */
  isPlain: boolean;
  /** A new connection; it emits `error` when it can't be had. */
  connect(): Duplex;
}

const USUAL_SOCKET = '/var/run/docker.sock' as HostPath;
const PLAIN_PORT = 2375;
const TLS_PORT = 2376;
/** How long a silent connection may be dead before it is noticed. */
const KEEP_ALIVE_MS = 15_000;

/** Throws `config/invalid` for an address of no known form, or certificates that can't be read. */
export function resolveEngine(settings: EngineSettings): EngineAddress {
  const name = settings.host || `unix://${USUAL_SOCKET}`;
  if (name.startsWith('unix://')) return socketAddress(name, name.slice('unix://'.length));
  const url = URL.canParse(name) ? new URL(name) : undefined;
  if (url?.hostname && url.protocol === 'ssh:') {
    const environment = settings.sshEnvironment ?? {};
    return { name, isPlain: false, connect: () => connectOverSsh(url, environment) };
  }
  if (!url?.hostname || !['tcp:', 'http:', 'https:'].includes(url.protocol)) throw invalid(name);
  const isTls = url.protocol === 'https:' || (settings.tlsVerify ?? '') !== '';
  return isTls ? tlsAddress(name, url, settings) : plainAddress(name, url);
}

function socketAddress(name: string, path: string): EngineAddress {
  if (!path.startsWith('/')) throw invalid(name);
  return { name, socket: path as HostPath, isPlain: false, connect: () => connect(path) };
}

function plainAddress(name: string, url: URL): EngineAddress {
  const { hostname, port } = target(url, PLAIN_PORT);
  const isHere = /^(localhost|127\.[\d.]+|\[?::1\]?)$/.test(url.hostname);
  return {
    name,
    isPlain: !isHere,
    connect: () => connect({ host: hostname, port }).setKeepAlive(true, KEEP_ALIVE_MS),
  };
}

function tlsAddress(name: string, url: URL, { certPath, home }: EngineSettings): EngineAddress {
  const { hostname, port } = target(url, TLS_PORT);
  const folder = certPath || join(home, '.docker');
  const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((file) => readPem(join(folder, file)));
  return {
    name,
    isPlain: false,
    connect: () =>
      connectTls({
        host: hostname,
        port,
        servername: /^[\d.:]+$/.test(hostname) ? '' : hostname,
        ...(ca ? { ca } : {}),
        ...(cert ? { cert } : {}),
        ...(key ? { key } : {}),
      }).setKeepAlive(true, KEEP_ALIVE_MS),
  };
}

function target(url: URL, usual: number): { hostname: string; port: number } {
  return { hostname: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? usual : Number(url.port) };
}

function readPem(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SafeCoderError('config/invalid', `The certificate ${showPath(file)} can't be read.`, {
      cause,
      hint: 'DOCKER_CERT_PATH names the folder that holds ca.pem, cert.pem and key.pem.',
    });
  }
}

function invalid(name: string): SafeCoderError {
  return new SafeCoderError('config/invalid', `DOCKER_HOST is no engine's address: ${showPath(name)}.`, {
    hint: 'It looks like unix:///var/run/docker.sock, tcp://HOST:2376 or ssh://USER@HOST.',
  });
}
