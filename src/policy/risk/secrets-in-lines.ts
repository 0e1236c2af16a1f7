/** Rules on secrets in added lines. Each shape is bounded, and asked only where its own marker occurs. */
import { TOKEN_SHAPES } from '../credentials.ts';
import { secretInContent, suspectSecret } from '../secrets.ts';
import type { TextFacts } from './facts.ts';
import type { TextRule } from './rule.ts';

/** What people write where a secret belongs. */
const PLACEHOLDER =
  /example|sample|changeme|change_me|placeholder|your[_-]?|dummy|redacted|xxxx|\*\*\*|<[^>]*>|\$\{|\{\{|%\(|\bnull\b|undefined|process\.env|import\.meta|localhost|test|fake|mock|todo|0000|1234567|abcdef/i;

/** Passwords that everybody's development database has. */
const EVERYDAY = /^(?:postgres|mysql|mongo|redis|password|passwd|pass|root|admin|user|secret|guest|pwd?)$/i;

const ASSIGNED =
  /(?:passw(?:or)?d|passphrase|secret|token|api_?key|apikey|access_?key|private_?key|credential)s?["']?\]?\s{0,4}(?::=|=>|[:=])\s{0,4}["'`]([^\s"'`]{12,200})["'`]/gi;
const URL_PASSWORD =
  /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@"'<>]{0,200}:([^\s/@"'<>]{3,400})@[^\s/"'<>]{1,253}/gi;
const HEADER =
  /\b(?:authorization|private-token|x-api-key)["']?\s{0,4}[:=,]\s{0,4}["'`]?(?:(?:bearer|basic|token)\s{1,4})?([\w+/=.~-]{16,400})/gi;
const AWS_SECRET =
  /aws_?secret_?(?:access_?)?key(?:_id)?["']?\s{0,4}(?:[:=]|=>)\s{0,4}["']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])/i;
const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-|AGE-SECRET-KEY-1/;

/** One look for all markers is cheaper than one for each. */
const ANY_MARKER = new RegExp(
  TOKEN_SHAPES.flatMap(({ markers }) => markers)
    .map((marker) => marker.replaceAll('.', '\\.'))
    .join('|'),
);

/** Examples are put together here, so that no scanner of repositories takes them for real ones. */
const body = (length: number) => 'q7Zk3Wm9Xv2Bn5Lp8Rt1Yd4Hs6Jf0Gc'.repeat(10).slice(0, length);
const fake = (...parts: string[]) => parts.join('');

export const SECRETS: readonly TextRule<TextFacts>[] = [
  {
    id: 'secret-token',
    severity: 'leaks',
    reason: 'secret in an added line: a token',
    find: ({ added }) => {
      if (!ANY_MARKER.test(added)) return false;
      const found = TOKEN_SHAPES.filter(
        ({ markers, shape }) => markers.some((each) => added.includes(each)) && hasReal(added, shape),
      ).map(({ name }) => name);
      return [...new Set(found)].map((name) => `secret in an added line: ${name}`);
    },
    matches: [
      fake('token = "gh', 'p_', body(36), '"'),
      fake('github', '_pat_', body(60)),
      fake('gl', 'pat-', body(20)),
      fake('xo', 'xb-', '2390482-', body(24)),
      fake('https://hooks.sl', 'ack.com/services/T02ABCDE3/B02ABCDE3/', body(24)),
      fake('sk', '-ant-api03-', body(90)),
      fake('sk', '-proj-', body(48)),
      fake('AK', 'IAQ7ZK3WM9XV2BN5LP'),
      fake('AI', 'za', body(35)),
      fake('np', 'm_', body(36)),
      fake('h', 'f_', body(34)),
      fake('sk', '_live_', body(24)),
      fake('S', 'G.', body(22), '.', body(43)),
      fake('py', 'pi-AgEIcHlwaS5vcmc', body(60)),
      fake('ey', 'J', body(20), '.ey', 'J', body(40), '.', body(43)),
      fake('dck', 'r_pat_', body(27)),
      fake('do', 'o_v1_', 'a1b2c3d4e5f60718'.repeat(4)),
      fake('sh', 'pat_', 'a1b2c3d4e5f60718'.repeat(2)),
      fake('GOC', 'SPX-', body(28)),
      fake('hv', 's.', body(90)),
      fake('81726354', '90:AA', body(33)),
    ],
    not: [
      'ghp_short',
      'sk-learn is a library',
      'the npm_config_registry variable',
      'AKIAEXAMPLE',
      'task_live_update',
    ],
  },
  {
    id: 'secret-key-block',
    severity: 'leaks',
    reason: 'secret in an added line: a private key',
    markers: ['PRIVATE KEY', 'PuTTY-User', 'AGE-SECRET'],
    find: ({ added }) => PRIVATE_KEY.test(added),
    matches: [
      fake('-----BEGIN RSA PRIVATE', ' KEY-----\nMII'),
      fake('-----BEGIN PGP PRIVATE', ' KEY BLOCK-----'),
    ],
    not: ['-----BEGIN PUBLIC KEY-----', 'the PRIVATE KEY is elsewhere'],
  },
  {
    id: 'secret-aws',
    severity: 'leaks',
    reason: 'secret in an added line: an AWS secret key',
    markers: ['ecret', 'SECRET'],
    find: ({ added }) => AWS_SECRET.test(added),
    matches: [fake('aws_secret_', 'access_key = ', body(40))],
    not: [`aws_secret_access_key = ${'$'}{KEY}`, 'aws_secret_access_key ='],
  },
  {
    id: 'secret-url',
    severity: 'leaks',
    reason: 'secret in an added line: a URL with a password',
    markers: ['://'],
    find: ({ added }) => added.includes('@') && hasReal(added, URL_PASSWORD, 1),
    matches: [
      fake('postgres://app:', 'q7Zk3Wm9Xv@db.internal/app'),
      fake('https://me:', 'hunter2a@git.internal/x.git'),
    ],
    not: [
      'https://example.com/@user',
      `postgres://user:${'$'}{PASSWORD}@host/db`,
      'ssh://git@host/x',
      'redis://localhost:6379',
    ],
  },
  {
    id: 'secret-header',
    severity: 'leaks',
    reason: 'secret in an added line: an authorisation header',
    markers: ['uthorization', 'UTHORIZATION', 'rivate-', 'RIVATE-', 'pi-key', 'pi-Key', 'PI-Key', 'PI-KEY'],
    find: ({ added }) => hasReal(added, HEADER, 1, true),
    matches: [fake("'Authorization': 'Bearer ", body(40), "'"), fake('PRIVATE-TOKEN: ', body(24))],
    not: [
      `'Authorization': \`Bearer ${'$'}{token}\``,
      'Authorization: Bearer <token>',
      'authorization: authorizationHandler',
    ],
  },
  {
    id: 'secret-assigned',
    severity: 'leaks',
    reason: 'secret in an added line: a password or key in the text',
    markers: [
      'assw',
      'ASSW',
      'assphrase',
      'ASSPHRASE',
      'ecret',
      'ECRET',
      'oken',
      'OKEN',
      'pi_key',
      'piKey',
      'pikey',
      'PI_KEY',
      'PIKEY',
      'ccess_key',
      'ccessKey',
      'CCESS_KEY',
      'rivate_key',
      'rivateKey',
      'RIVATE_KEY',
      'redential',
      'REDENTIAL',
    ],
    find: ({ added }) => hasReal(added, ASSIGNED, 1, true),
    matches: [
      fake('const API_', 'KEY = "', body(32), '"'),
      fake('password', ': "q7Zk!3Wm9Xv#2"'),
      fake("db['secret", "'] = '", body(20), "'"),
    ],
    not: [
      'password: "changeme-please"',
      'const token = "import.meta.env.TOKEN"',
      'secretName: "my-app-secret-name"',
      `apiKey: "${'$'}{API_KEY_FROM_VAULT}"`,
      'const tokenType = "identifier"',
    ],
  },
  {
    id: 'secret-file',
    severity: 'leaks',
    reason: 'a file that holds secrets',
    find: ({ change, after, before }) => {
      const suspicion = suspectSecret(change.path);
      const reason = suspicion.reason ?? secretInContent(suspicion, after, true);
      return reason !== undefined && before === undefined && `a file that holds secrets: ${reason}`;
    },
    matches: [
      { path: '.env', after: 'A=b' },
      { path: 'deploy/id_rsa', after: 'x' },
      { path: 'a.p12', after: 'x' },
    ],
    not: [
      { path: '.env.example', after: 'A=b' },
      { path: 'src/key.ts', after: 'x' },
    ],
  },
];

/** Whether a shape occurs with more than a placeholder in it; with `mustBeRandom` also no mere words. */
function hasReal(text: string, shape: RegExp, group = 0, mustBeRandom = false): boolean {
  for (const match of text.matchAll(shape)) {
    const value = match[group] ?? '';
    if (isPlaceholder(value)) continue;
    if (!mustBeRandom || isRandom(value)) return true;
  }
  return false;
}

function isPlaceholder(value: string): boolean {
  return PLACEHOLDER.test(value) || EVERYDAY.test(value) || /^(.)\1*$/.test(value);
}

/** Digits among letters, and a spread of characters that words don't have. */
function isRandom(value: string): boolean {
  return (
    /\d/.test(value) && /[A-Za-z]/.test(value) && entropy(value) >= 3.3 && !/^[\w-]+\.[\w.-]+$/.test(value)
  );
}

/** Shannon's, in bits a character. */
function entropy(value: string): number {
  const counts = new Map<string, number>();
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length);
  return bits;
}
