/** What one package manager's settings come to: whom it must reach, and what it needs to be told in a guest. */
import { readFileSync } from 'node:fs';
import { errnoOf, isSafeCoderError } from '../../base/errors.ts';
import { runProcess } from '../../base/process.ts';
import type { EgressRule } from '../../policy/egress-policy.ts';
import { parseHost } from '../../policy/egress-target.ts';

export interface ManagerSettings {
  rules: EgressRule[];
  files: GuestFile[];
  /** Variables for executions in the guest. */
  env: Record<string, string>;
  /** What the person should know: settings that stay on the host. */
  notes: string[];
}

export interface GuestFile {
  /** Absolute, in the guest; written as root, readable by everybody. */
  path: string;
  text: string;
  /** A setting of the host's own system, for a guest that has its programs. */
  isSystem?: boolean;
}

export interface HostSettings {
  home: string;
  /** The person's environment. */
  env: Record<string, string | undefined>;
  signal: AbortSignal;
}

export const NOTHING: ManagerSettings = { rules: [], files: [], env: {}, notes: [] };

const PATIENCE_MS = 10_000;
const MAX_SETTINGS_BYTES = 1 << 20;

/**
 * Asks a manager for its settings in its own words, from a folder that is no project's; undefined when the manager isn't
 * there or can't say. Throws `cancelled`.
 */
export async function askManager(
  program: string,
  args: readonly string[],
  { home, env, signal }: HostSettings,
): Promise<string | undefined> {
  const passed = Object.entries(env).filter(
    ([name, value]) =>
      value !== undefined && /^(?:PATH|HOME|XDG_CONFIG_HOME|LANG|(?:npm_config|pip|go|gem)_?.*)$/i.test(name),
  );
  try {
    const { exitCode, stdout } = await runProcess(program, args, {
      cwd: '/',
      env: { HOME: home, ...(Object.fromEntries(passed) as Record<string, string>) },
      signal,
      timeoutMs: PATIENCE_MS,
      maxOutputBytes: MAX_SETTINGS_BYTES,
    });
    return exitCode === 0 ? stdout.toString('utf8') : undefined;
  } catch (error) {
    // Not there, or broken: a manager that can't be asked has nothing to offer to the guest.
    if (isSafeCoderError(error) && error.code.startsWith('environment/')) return undefined;
    throw error;
  }
}

/** A settings file of the person's; undefined when there is none, or it is none that can be read. */
export function readSettings(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').slice(0, MAX_SETTINGS_BYTES);
  } catch (error) {
    if (['ENOENT', 'EACCES', 'EISDIR', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

export interface Address {
  rule: EgressRule;
  /** Without a name or password. */
  url: string;
  hadCredentials: boolean;
}

/** A registry's address; undefined for what isn't on the web. */
export function readAddress(text: string): Address | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  const host = parseHost(url.hostname);
  if (!/^https?:$/.test(url.protocol) || host === undefined) return undefined;
  const hadCredentials = url.username !== '' || url.password !== '';
  url.username = '';
  url.password = '';
  const port = url.port === '' ? {} : { port: Number(url.port) };
  return { rule: { host: host.host, ...port, origin: 'registries' }, url: url.href, hadCredentials };
}

export function noteCredentials(addresses: readonly Address[]): string[] {
  return addresses
    .filter(({ hadCredentials }) => hadCredentials)
    .map(({ rule }) => `The credentials for ${rule.host} stay on the host.`);
}
