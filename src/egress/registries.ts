/**
 * The package registries that the person's own package managers are set to, asked of the managers themselves. What holds
 * credentials stays on the host.
 */
import { readFileSync } from 'node:fs';
import type { EgressRule } from '../policy/egress-policy.ts';
import { aptSettings } from './managers/apt.ts';
import { goSettings } from './managers/go.ts';
import type { HostSettings, ManagerSettings } from './managers/manager.ts';
import { npmSettings } from './managers/npm.ts';
import { pipSettings } from './managers/pip.ts';

/** Certificates that the guest has as the host has them. */
const SYSTEM_BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const BUNDLE = '/etc/safe-coder/ca-certificates.crt';
/** Where common programs look for certificates beside the system's. */
const BUNDLE_VARIABLES = [
  'SSL_CERT_FILE',
  'NODE_EXTRA_CA_CERTS',
  'CURL_CA_BUNDLE',
  'REQUESTS_CA_BUNDLE',
  'PIP_CERT',
  'GIT_SSL_CAINFO',
  'CARGO_HTTP_CAINFO',
  'AWS_CA_BUNDLE',
] as const;
const MOST_BUNDLE_BYTES = 4 << 20;

/** All managers at once. Throws `cancelled`. */
export async function findRegistries(host: HostSettings): Promise<ManagerSettings> {
  const found = await Promise.all([npmSettings(host), pipSettings(host), goSettings(host), aptSettings()]);
  return {
    rules: distinct(found.flatMap(({ rules }) => rules)),
    files: found.flatMap(({ files }) => files),
    env: Object.assign({}, ...found.map(({ env }) => env)),
    notes: [...new Set(found.flatMap(({ notes }) => notes))],
  };
}

function distinct(rules: readonly EgressRule[]): EgressRule[] {
  return [...new Map(rules.map((rule) => [`${rule.host} ${rule.port}`, rule])).values()];
}

/**
 * The certificates that the person's programs trust: the system's, and those that variables of their environment name.
 * Only certificates are taken out of such a file, whatever else is in it.
 */
export function certificateSettings(env: HostSettings['env']): Omit<ManagerSettings, 'rules' | 'notes'> {
  const system = readCertificates(SYSTEM_BUNDLE);
  const own = new Set(
    BUNDLE_VARIABLES.map((name) => env[name]).filter((path) => path !== undefined && path !== ''),
  );
  const extra = [...own]
    .flatMap((path) => readCertificates(path ?? ''))
    .filter((one) => !system.includes(one));
  if (system.length === 0 && extra.length === 0) return { files: [], env: {} };
  const path = extra.length === 0 ? SYSTEM_BUNDLE : BUNDLE;
  const all = [...system, ...new Set(extra)].map((one) => `${one}\n`).join('');
  return {
    files: extra.length === 0 ? [] : [{ path, text: all }],
    env: Object.fromEntries(BUNDLE_VARIABLES.map((name) => [name, path])),
  };
}

function readCertificates(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'latin1').slice(0, MOST_BUNDLE_BYTES);
  } catch {
    // A variable that names nothing: programs on the host do without it as well.
    return [];
  }
  return text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
}
