/**
 * Signing with the user's SSH key by OpenSSH's own program: a key file, its public half with the private one in ssh-agent, or
 * the agent's first key. It never asks for a passphrase: nobody may be there, and a session would hang in the middle.
 */
import { createHash } from 'node:crypto';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import { type RunResult, runProcess } from '../base/process.ts';

/** A signature is for this program's ledgers and can't be passed off as one of a commit or a file. */
const NAMESPACE = 'safe-coder';
const DEADLINE_MS = 15_000;
const FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/opt/homebrew/bin', '/run/current-system/sw/bin'];

export interface SigningKey {
  /** Absolute path of a private or public key, or `agent`. */
  signWith: string;
  /** Where ssh-agent listens, if there is one. */
  agentSocket: string | undefined;
}

export interface HeadSigner {
  /** The key's fingerprint as OpenSSH writes it: `SHA256:…`. */
  readonly fingerprint: string;
  /** The armored signature over `text`. Throws `environment/tool-failed` when the key can't be used, within 15 seconds. */
  sign(text: string): Promise<string>;
}

/**
 * Tries the key once, so that what can't work is told before there is work to lose. Throws `config/invalid` with the reason
 * (no such key, a passphrase and no agent), `environment/tool-missing` without OpenSSH.
 */
export async function openSigner(key: SigningKey): Promise<HeadSigner> {
  try {
    const { fingerprint } = parseSignature(await sign(key, 'a trial before the session begins\n'));
    return { fingerprint, sign: (text) => sign(key, text) };
  } catch (error) {
    if (!isSafeCoderError(error, 'environment/tool-failed')) throw error;
    throw new SafeCoderError('config/invalid', `The ledger can't be signed: ${error.message}`, {
      cause: error,
      hint: 'Load the key with "ssh-add", or set "ledger.signWith" to a key without a passphrase, or leave it out.',
    });
  }
}

/** The fingerprint of a key without using it. Throws `config/invalid`, `environment/tool-missing`. */
export async function fingerprintOf(key: SigningKey): Promise<string> {
  const [program, args] =
    key.signWith === 'agent'
      ? (['ssh-add', ['-l']] as const)
      : (['ssh-keygen', ['-l', '-f', key.signWith]] as const);
  const { exitCode, stdout, stderr } = await run(program, args, key.agentSocket);
  const found = /\bSHA256:[A-Za-z0-9+/]{43}/.exec(stdout.toString('latin1'))?.[0];
  if (exitCode === 0 && found !== undefined) return found;
  throw new SafeCoderError('config/invalid', `"ledger.signWith" names no key: ${reasonOf(stdout, stderr)}.`, {
    hint: 'Set it to the path of an SSH key, or to "agent" with a key in ssh-agent.',
  });
}

/** True when `signature` is one of `text` by the key that it names itself. The caller decides whether that key is the right one. */
export async function isSignatureOf(signature: string, text: string): Promise<boolean> {
  const { keyType, key } = parseSignature(signature);
  using folder = temporaryFolder();
  const allowed = join(folder.path, 'allowed');
  const file = join(folder.path, 'signature');
  const options = `namespaces="${NAMESPACE}"`;
  writeFileSync(allowed, `signer ${options} ${keyType} ${key.toString('base64')}\n`, { mode: 0o600 });
  writeFileSync(file, signature, { mode: 0o600 });
  const args = ['-Y', 'verify', '-f', allowed, '-I', 'signer', '-n', NAMESPACE, '-s', file];
  const { exitCode } = await run('ssh-keygen', args, undefined, text);
  return exitCode === 0;
}

/** The key inside an armored signature. Throws `ledger/damaged` when it is none. */
export function parseSignature(signature: string): { fingerprint: string; keyType: string; key: Buffer } {
  const body =
    /^-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]{1,20000})\n-----END SSH SIGNATURE-----\n$/.exec(
      signature,
    )?.[1];
  const bytes = Buffer.from(body ?? '', 'base64');
  const key = stringAt(bytes, 10);
  const keyType = key && stringAt(key, 0)?.toString('latin1');
  if (bytes.toString('latin1', 0, 6) !== 'SSHSIG' || !key || !keyType || !/^[a-z0-9@.-]{1,64}$/.test(keyType))
    throw new SafeCoderError('ledger/damaged', 'A signature of the ledger is unreadable.');
  const digest = createHash('sha256').update(key).digest('base64').replace(/=+$/, '');
  return { fingerprint: `SHA256:${digest}`, keyType, key };
}

/** A string with its length before it, as SSH writes them. */
function stringAt(bytes: Buffer, at: number): Buffer | undefined {
  if (at + 4 > bytes.length) return undefined;
  const end = at + 4 + bytes.readUInt32BE(at);
  return end > bytes.length ? undefined : bytes.subarray(at + 4, end);
}

async function sign({ signWith, agentSocket }: SigningKey, text: string): Promise<string> {
  if (signWith !== 'agent') return signWithFile(signWith, agentSocket, text);
  const { exitCode, stdout, stderr } = await run('ssh-add', ['-L'], agentSocket);
  if (exitCode !== 0) throw failed(reasonOf(stdout, stderr));
  using folder = temporaryFolder();
  const file = join(folder.path, 'key.pub');
  writeFileSync(file, `${stdout.toString('latin1').split('\n')[0]}\n`, { mode: 0o600 });
  return await signWithFile(file, agentSocket, text);
}

async function signWithFile(file: string, agentSocket: string | undefined, text: string): Promise<string> {
  const attempt = (path: string) =>
    run('ssh-keygen', ['-Y', 'sign', '-n', NAMESPACE, '-f', path], agentSocket, text);
  const first = await attempt(file);
  // A private key with a passphrase may be open in the agent, which goes by the public one.
  const result =
    first.exitCode !== 0 && agentSocket !== undefined && !file.endsWith('.pub')
      ? await attempt(`${file}.pub`)
      : first;
  if (result.exitCode !== 0) throw failed(reasonOf(first.stdout, first.stderr));
  return result.stdout.toString('latin1');
}

function failed(reason: string): SafeCoderError {
  return new SafeCoderError('environment/tool-failed', `${reason}.`);
}

function reasonOf(stdout: Buffer, stderr: string): string {
  const lines = `${stderr}\n${stdout.toString('utf8')}`.split('\n').map((line) => line.trim());
  const said = lines.find((line) => line !== '' && !line.startsWith('Signing data'));
  return (said ?? 'OpenSSH gave no reason').replace(/\.$/, '').slice(0, 300);
}

function run(
  program: 'ssh-keygen' | 'ssh-add',
  args: readonly string[],
  agentSocket: string | undefined,
  input?: string,
): Promise<RunResult> {
  return runProcess(findProgram(program), args, {
    cwd: '/',
    env: {
      PATH: '/usr/bin:/bin',
      LC_ALL: 'C',
      HOME: '/nonexistent',
      // A question would go to a program that says nothing, never to a terminal or our input.
      SSH_ASKPASS: '/bin/false',
      SSH_ASKPASS_REQUIRE: 'force',
      ...(agentSocket === undefined ? {} : { SSH_AUTH_SOCK: agentSocket }),
    },
    timeoutMs: DEADLINE_MS,
    maxOutputBytes: 1 << 20,
    ...(input === undefined ? {} : { input: Buffer.from(input, 'utf8') }),
  });
}

function findProgram(program: string): string {
  for (const folder of FOLDERS) {
    try {
      accessSync(`${folder}/${program}`, constants.X_OK);
      return `${folder}/${program}`;
    } catch {
      // Not there or not ours to run: the next folder may have it.
    }
  }
  throw new SafeCoderError('environment/tool-missing', `The program ${program} was not found.`, {
    hint: 'Install OpenSSH (Debian: openssh-client): it signs ledgers and checks their signatures.',
  });
}

function temporaryFolder(): Disposable & { path: string } {
  const path = mkdtempSync(join(tmpdir(), 'safe-coder-key-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
