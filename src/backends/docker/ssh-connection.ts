/** A connection to an engine on another machine through ssh, as Docker's own client makes it. */
import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { SafeCoderError } from '../../base/errors.ts';

/** What ssh said is kept up to this. */
const TAIL_BYTES = 2000;

/**
 * Runs `docker system dial-stdio` there, with the person's own ssh settings and keys; never asks for a password. The
 * stream owns the process.
 */
export function connectOverSsh(url: URL, environment: Record<string, string>): Duplex {
  const user = url.username === '' ? [] : ['-l', decodeURIComponent(url.username)];
  const port = url.port === '' ? [] : ['-p', url.port];
  const program = ['docker', 'system', 'dial-stdio'];
  const options = ['-o', 'BatchMode=yes', '-o', 'ConnectTimeout=10', '-T'];
  const child = spawn('ssh', [...options, ...user, ...port, '--', url.hostname, ...program], {
    cwd: '/',
    env: environment,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-TAIL_BYTES);
  });
  const stream = Duplex.from({ readable: child.stdout, writable: child.stdin });
  child.once('error', (error) => stream.destroy(error));
  child.once('exit', (code) => {
    if (code !== 0 && !stream.destroyed) stream.destroy(failure(url.hostname, said));
  });
  stream.once('close', () => child.kill('SIGKILL'));
  return stream;
}

function failure(host: string, said: string): SafeCoderError {
  const last = said.trim().split('\n').at(-1) ?? '';
  return new SafeCoderError(
    'backend/unavailable',
    `ssh to ${host} failed: ${last.replace(/[^\x20-\x7e]/g, '')}`,
  );
}
