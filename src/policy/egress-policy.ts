/** Who may be reached from the guest: rules and the one decision they give. Nothing is looked up before it. */
import { SafeCoderError } from '../base/errors.ts';
import { type AddressKind, kindOfAddress } from './egress-address.ts';
import { type EgressTarget, parseHost, showTarget } from './egress-target.ts';

export type NetworkMode = 'none' | 'registries' | 'ask' | 'open';

export interface EgressRule {
  /** A name, an address, or `*.` and a name for every name below it. */
  host: string;
  /** Undefined: the web's two. */
  port?: number;
  /** Who made it: the person's package managers' settings, the person, or the person when the guest's wish was shown. */
  origin: 'registries' | 'allowed' | 'asked';
}

export interface EgressPolicy {
  mode: NetworkMode;
  rules: readonly EgressRule[];
}

export type EgressDecision =
  | { verdict: 'allow'; rule: string; may: ReadonlySet<AddressKind>; isReadOnly: boolean }
  | { verdict: 'deny'; rule: string }
  | { verdict: 'ask' };

const WEB_PORTS = [80, 443];
const PUBLIC: ReadonlySet<AddressKind> = new Set(['public']);
/** A name that the person gave may be one of their own network: that is what a company's mirror is. */
const NAMED: ReadonlySet<AddressKind> = new Set(['public', 'private', 'reserved']);
/** With its port as well, also one of this machine's own services. */
const NAMED_WITH_PORT: ReadonlySet<AddressKind> = new Set(['public', 'private', 'reserved', 'local']);

export function decideEgress(policy: EgressPolicy, target: EgressTarget): EgressDecision {
  const rule = policy.rules.find((candidate) => matches(candidate, target));
  if (rule !== undefined) {
    const isExact = !rule.host.startsWith('*.');
    // A name that the guest came up with leads to public addresses only, however often it is looked up.
    const isOwn = isExact && rule.origin !== 'asked';
    const isWeb = rule.port === undefined || WEB_PORTS.includes(rule.port);
    const may = !isOwn ? PUBLIC : isWeb ? NAMED : NAMED_WITH_PORT;
    return {
      verdict: 'allow',
      rule: `${rule.origin} ${showEgressRule(rule)}`,
      may,
      isReadOnly: rule.origin === 'registries',
    };
  }
  if (target.isAddress) return { verdict: 'deny', rule: 'addresses need a rule of their own' };
  if (!WEB_PORTS.includes(target.port))
    return { verdict: 'deny', rule: `port ${target.port} needs a rule of its own` };
  if (policy.mode === 'open') return { verdict: 'allow', rule: 'open', may: PUBLIC, isReadOnly: false };
  return policy.mode === 'ask' ? { verdict: 'ask' } : { verdict: 'deny', rule: `network ${policy.mode}` };
}

function matches(rule: EgressRule, { host, port }: EgressTarget): boolean {
  if (rule.port === undefined ? !WEB_PORTS.includes(port) : rule.port !== port) return false;
  if (!rule.host.startsWith('*.')) return rule.host === host;
  return host.endsWith(rule.host.slice(1)) && host.length > rule.host.length - 1;
}

/** Why this address is refused for a target that was allowed by name; undefined when it isn't. */
export function addressFault(may: ReadonlySet<AddressKind>, address: string): string | undefined {
  const kind = kindOfAddress(address);
  if (may.has(kind)) return undefined;
  return `resolves to a ${kind} address`;
}

/** A rule as a person writes it: `HOST`, `HOST:PORT`, `*.HOST`. Throws `usage/bad-argument`. */
export function parseEgressRule(text: string): EgressRule {
  const parts = /^(\*\.)?(\[[^\]]*\]|[^:[\]]+|[0-9A-Fa-f:.]*::?[0-9A-Fa-f:.]*)(?::([0-9]{1,5}))?$/.exec(text);
  const host = parts?.[2] === undefined ? undefined : parseHost(parts[2]);
  const port = parts?.[3] === undefined ? undefined : Number(parts[3]);
  const isWild = parts?.[1] !== undefined;
  const isGood =
    host !== undefined &&
    (port === undefined || (port >= 1 && port <= 65_535)) &&
    // Everything below a top-level name is half the world.
    !(isWild && (host.isAddress || !host.host.includes('.')));
  if (isGood) {
    return {
      host: isWild ? `*.${host.host}` : host.host,
      ...(port === undefined ? {} : { port }),
      origin: 'allowed',
    };
  }
  throw new SafeCoderError('usage/bad-argument', `${JSON.stringify(text)} is no host to allow.`, {
    hint: 'Name it as HOST or HOST:PORT, e.g. --allow api.example.com or --allow "*.example.com:8443".',
  });
}

export function isEgressRule(text: string): boolean {
  try {
    parseEgressRule(text);
    return true;
  } catch {
    // It throws for nothing else.
    return false;
  }
}

/** A rule as {@link parseEgressRule} reads it. */
export function showEgressRule({ host, port }: Pick<EgressRule, 'host' | 'port'>): string {
  return port === undefined ? host : showTarget({ host, port });
}
