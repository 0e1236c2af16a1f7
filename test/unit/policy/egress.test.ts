import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kindOfAddress } from '../../../src/policy/egress-address.ts';
import {
  addressFault,
  decideEgress,
  type EgressPolicy,
  parseEgressRule,
} from '../../../src/policy/egress-policy.ts';
import { parseAuthority, showTarget, toTarget } from '../../../src/policy/egress-target.ts';

const verdict = (policy: EgressPolicy, authority: string) => {
  const target = parseAuthority(authority);
  if (target === undefined) throw new Error(`no authority: ${authority}`);
  return decideEgress(policy, target).verdict;
};

describe('the target of a connection', () => {
  it.each([
    ['API.Example.COM:443', 'api.example.com', 443, false],
    ['example.com.:80', 'example.com', 80, false],
    ['localhost:3000', 'localhost', 3000, false],
    ['xn--bcher-kva.example:443', 'xn--bcher-kva.example', 443, false],
    ['192.0.2.7:8080', '192.0.2.7', 8080, true],
    ['[2001:DB8::0:1]:443', '2001:db8::1', 443, true],
  ])('%s is read', (text, host, port, isAddress) => {
    expect(parseAuthority(text)).toEqual({ host, port, isAddress });
  });

  it.each([
    '2130706433:80',
    '127.1:80',
    '0x7f.1:80',
    '0x7f000001:80',
    '0177.0.0.1:80',
    '017700000001:80',
    '0:80',
    '1.2.3.4.5:80',
    '127.0.0.1.:80',
    '①②⑦.⓪.⓪.①:80',
    '127。0。0。1:80',
    '\u212aelvin.example:443',
    'a\0.example.com:443',
    'a\r\nb.example:443',
    'user@example.com:443',
    'exa_mple.com:443',
    '-a.example:443',
    'a-.example:443',
    `${'a'.repeat(64)}.example:443`,
    `${'a.'.repeat(127)}example:443`,
    'example..com:443',
    '.example.com:443',
    'example.com',
    'example.com:',
    'example.com:0',
    'example.com:65536',
    'example.com:+443',
    'example.com:443 ',
    '[fe80::1%eth0]:443',
    '[127.0.0.1]:443',
    '[]:443',
    '::1:443',
    '*.example.com:443',
  ])('%j is refused', (text) => {
    expect(parseAuthority(text)).toBeUndefined();
  });

  it('is one that reads back as itself, or none, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.webAuthority({ withPort: true }), fc.ipV4Extended(), fc.ipV6()),
        (text) => {
          const target = parseAuthority(text) ?? toTarget(text, 443);
          if (target === undefined) return;
          expect(parseAuthority(showTarget(target))).toEqual(target);
          expect(target.host).toMatch(/^[a-z0-9.:-]+$/);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

describe('the kind of an address', () => {
  it.each([
    ['public', ['1.1.1.1', '8.8.8.8', '172.15.0.1', '172.32.0.1', '2606:4700::1111', '2a00::1']],
    [
      'private',
      ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1', 'fd00::1', 'fc00::1'],
    ],
    [
      'local',
      [
        ['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3', '::1', '::', 'fe80::1', 'febf::1'],
        ['169.254.169.254', '100.100.100.200', 'fd00:ec2::254', '192.0.0.192', '168.63.129.16'],
      ].flat(),
    ],
    ['reserved', ['192.0.2.1', '198.51.100.1', '203.0.113.9', '198.18.0.1', '2001:db8::1']],
    [
      'special',
      [
        [
          '::ffff:1.1.1.1',
          '::ffff:7f00:1',
          '::127.0.0.1',
          '::7f00:1',
          '::2',
          '64:ff9b::7f00:1',
          '64:ff9b:1::1',
        ],
        [
          '2002:7f00:1::',
          '2001::1',
          '3fff::1',
          'ff02::1',
          '224.0.0.1',
          '255.255.255.255',
          '240.0.0.1',
          '192.88.99.1',
        ],
        ['fec0::1', '4000::1', 'nonsense', '', '127.1', 'fe80::1%eth0'],
      ].flat(),
    ],
  ])('%s', (kind, addresses) => {
    for (const address of addresses) expect([address, kindOfAddress(address)]).toEqual([address, kind]);
  });
});

describe('the policy of the network', () => {
  const none: EgressPolicy = { mode: 'none', rules: [] };

  it('lets nothing out when there are no rules', () => {
    expect(verdict(none, 'example.com:443')).toBe('deny');
    expect(verdict({ mode: 'registries', rules: [] }, 'example.com:443')).toBe('deny');
  });

  it('asks, or lets out, only on the ports of the web, and never to an address', () => {
    for (const mode of ['ask', 'open'] as const) {
      const policy: EgressPolicy = { mode, rules: [] };
      expect(verdict(policy, 'example.com:443')).toBe(mode === 'ask' ? 'ask' : 'allow');
      expect(verdict(policy, 'example.com:80')).toBe(mode === 'ask' ? 'ask' : 'allow');
      for (const port of [22, 25, 2375, 6379, 8080])
        expect(verdict(policy, `example.com:${port}`)).toBe('deny');
      expect(verdict(policy, '1.1.1.1:443')).toBe('deny');
      expect(verdict(policy, '[2606:4700::1111]:443')).toBe('deny');
    }
  });

  it('matches a whole name, or whole labels below one', () => {
    const policy: EgressPolicy = {
      mode: 'none',
      rules: [
        parseEgressRule('Allowed.test'),
        parseEgressRule('*.wide.test'),
        parseEgressRule('odd.test:8443'),
      ],
    };
    expect(verdict(policy, 'allowed.test:443')).toBe('allow');
    expect(verdict(policy, 'ALLOWED.test.:80')).toBe('allow');
    expect(verdict(policy, 'evilallowed.test:443')).toBe('deny');
    expect(verdict(policy, 'sub.allowed.test:443')).toBe('deny');
    expect(verdict(policy, 'allowed.test.evil.test:443')).toBe('deny');
    expect(verdict(policy, 'a.wide.test:443')).toBe('allow');
    expect(verdict(policy, 'wide.test:443')).toBe('deny');
    expect(verdict(policy, 'evilwide.test:443')).toBe('deny');
    expect(verdict(policy, 'odd.test:8443')).toBe('allow');
    expect(verdict(policy, 'odd.test:443')).toBe('deny');
  });

  it('lets a name of the person’s own lead to their network, and to this machine only with a port', () => {
    const may = (rule: string, authority: string) => {
      const decision = decideEgress(
        { mode: 'none', rules: [parseEgressRule(rule)] },
        parseAuthority(authority) ?? { host: '', port: 0, isAddress: false },
      );
      return decision.verdict === 'allow' ? decision.may : new Set<never>();
    };
    expect(addressFault(may('mirror.test', 'mirror.test:443'), '10.0.0.1')).toBeUndefined();
    expect(addressFault(may('mirror.test', 'mirror.test:443'), '127.0.0.1')).toContain('local');
    expect(addressFault(may('mirror.test', 'mirror.test:443'), '::ffff:10.0.0.1')).toContain('special');
    expect(addressFault(may('mirror.test:4873', 'mirror.test:4873'), '127.0.0.1')).toBeUndefined();
    expect(addressFault(may('*.mirror.test', 'a.mirror.test:443'), '10.0.0.1')).toContain('private');
  });

  it.each([
    '',
    'http://a.test',
    'a.test/',
    '*.test',
    '*',
    '**.a.test',
    '*.1.2.3.4',
    'a.test:0',
    'a.test:99999',
    'a b',
  ])('refuses %j as a rule', (text) => {
    expect(() => parseEgressRule(text)).toThrow(/no host to allow/);
  });
});
