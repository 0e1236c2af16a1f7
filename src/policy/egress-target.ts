/**
 * Where the guest wants to connect, read by a grammar so narrow that nothing means one thing to us and another to a
 * resolver or a socket: numbers that are addresses in disguise, bytes that cut a name short, names that look alike.
 */
import { isIPv4, isIPv6 } from 'node:net';

export interface EgressTarget {
  /** Lower case, without a final dot. An address is in its usual form, IPv6 without brackets. */
  host: string;
  port: number;
  isAddress: boolean;
}

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** `host:port` of a CONNECT request or a rule; undefined for anything else, and for a form of an address but the usual one. */
export function parseAuthority(text: string): EgressTarget | undefined {
  const parts = /^(\[[^\]]{2,64}\]|[^:[\]]{1,254}):([0-9]{1,5})$/.exec(text);
  if (parts?.[1] === undefined || parts[2] === undefined) return undefined;
  return toTarget(parts[1], Number(parts[2]));
}

/** The same from its parts; a host without brackets may be an IPv6 address only when `host` says so by colons. */
export function toTarget(host: string, port: number): EgressTarget | undefined {
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  const parsed = parseHost(host);
  return parsed && { ...parsed, port };
}

/** A name or an address as rules and requests have it. */
export function parseHost(text: string): Pick<EgressTarget, 'host' | 'isAddress'> | undefined {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  if (bare.includes(':'))
    return isIPv6(bare) && !bare.includes('%') ? { host: usualIPv6(bare), isAddress: true } : undefined;
  if (bare !== text) return undefined;
  if (isIPv4(bare)) return { host: bare, isAddress: true };
  const host = asciiLowerCase(bare).replace(/\.$/, '');
  const labels = host.split('.');
  if (host.length > 253 || !labels.every((label) => LABEL.test(label))) return undefined;
  // A name whose last label is a number is an address to somebody: 127.1, 0x7f.1, 2130706433.
  return /^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '') ? undefined : { host, isAddress: false };
}

/** Only A to Z: other letters that become ASCII in lower case are no part of a name. */
function asciiLowerCase(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** One spelling for each address, as the URL parser writes it. */
function usualIPv6(text: string): string {
  return new URL(`http://[${text}]/`).hostname.slice(1, -1);
}

/** As people write it. */
export function showTarget({ host, port }: Pick<EgressTarget, 'host' | 'port'>): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
