/** What kind of place an address is. Only public addresses are reached without a person's word. */
import { BlockList, isIPv4, isIPv6 } from 'node:net';

/**
 * `public`: anywhere in the world. `private`: a network of the person's own. `local`: this machine, this link, or what a
 * cloud tells only this machine. `reserved`: set aside for tests and documents, and used inside some networks. `special`:
 * addresses that no server has, or that carry another address inside.
 */
export type AddressKind = 'public' | 'private' | 'local' | 'reserved' | 'special';

function list(...ranges: string[]): BlockList {
  const made = new BlockList();
  for (const range of ranges) {
    const [net = '', bits] = range.split('/');
    made.addSubnet(net, Number(bits), net.includes(':') ? 'ipv6' : 'ipv4');
  }
  return made;
}

// IANA's special-purpose registries (RFC 6890 and its successors).
const LOCAL = list('0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '::1/128', '::/128', 'fe80::/10');
/** Metadata services that lie in ranges which are otherwise a private network. */
const METADATA = list('fd00:ec2::254/128', '100.100.100.200/32', '192.0.0.192/32', '168.63.129.16/32');
const PRIVATE = list('10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7');
const RESERVED = list('192.0.2.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32');
const SPECIAL_V4 = list('192.0.0.0/24', '192.88.99.0/24', '224.0.0.0/4', '240.0.0.0/4');
const GLOBAL_V6 = list('2000::/3');
const SPECIAL_V6 = list('2001::/23', '2002::/16', '3fff::/20');

/** Of an address in its usual form; anything that is none is `special`. */
export function kindOfAddress(address: string): AddressKind {
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) && !address.includes('%') ? 'ipv6' : undefined;
  if (family === undefined) return 'special';
  const isIn = (ranges: BlockList) => ranges.check(address, family);
  // A block list takes a mapped address for the one inside; the wire doesn't need that spelling.
  if (family === 'ipv6' && /^::[0-9a-f.:]{2,}$/i.test(address)) return 'special';
  if (isIn(LOCAL) || isIn(METADATA)) return 'local';
  if (isIn(PRIVATE)) return 'private';
  if (isIn(RESERVED)) return 'reserved';
  if (family === 'ipv4') return isIn(SPECIAL_V4) ? 'special' : 'public';
  return isIn(GLOBAL_V6) && !isIn(SPECIAL_V6) ? 'public' : 'special';
}
