import { describe, expect, test } from 'vitest';
import { SECRET_RULES, secretReason } from '../../../src/policy/secrets.ts';

const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n';
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n';

/** Path, content, and the reason where it is withheld. Together they use every rule. */
const CASES: [path: string, content: string, reason: string | undefined][] = [
  ['.env', '', 'environment file'],
  ['app/.env', 'A=1', 'environment file'],
  ['.env.local', '', 'environment file'],
  ['.env.production', '', 'environment file'],
  ['.ENV', '', 'environment file'],
  ['.env.example', 'A=', undefined],
  ['.env.sample', 'A=', undefined],
  ['.env.template', 'A=', undefined],
  ['.environment', 'A=1', undefined],
  ['.envrc', 'use flake', undefined],
  ['env.ts', '', undefined],
  ['tls/server.pem', KEY, 'PEM file'],
  ['tls/server.pem', 'anything', 'PEM file'],
  ['tls/server.pem', '', 'PEM file'],
  ['tls/both.pem', CERTIFICATE + KEY, 'PEM file'],
  ['certifi/cacert.pem', CERTIFICATE + CERTIFICATE, undefined],
  ['id_rsa', '', 'SSH private key'],
  ['.ssh/id_ed25519', '', 'SSH private key'],
  ['id_rsa.pub', 'ssh-rsa AAAA', undefined],
  ['keys/deploy.key', KEY, 'private key'],
  ['deploy_key', KEY, 'private key'],
  ['my-rsa', KEY, 'private key'],
  ['putty.ppk', 'PuTTY-User-Key-File-3: ssh', 'private key'],
  ['age.key', 'AGE-SECRET-KEY-1ABC', 'private key'],
  ['notes/server.txt', KEY, 'private key'],
  ['translations.key', 'hello = Hello', undefined],
  ['keyboard', 'qwerty', undefined],
  ['src/key.ts', `const t = '${KEY}'`, undefined],
  ['backup.asc', '-----BEGIN PGP PRIVATE KEY BLOCK-----', 'private key'],
  ['backup.pgp', '-----BEGIN PGP PRIVATE KEY BLOCK-----', 'PGP secret key'],
  ['public.asc', '-----BEGIN PGP PUBLIC KEY BLOCK-----', undefined],
  ['a.p12', '', 'key store'],
  ['a.pfx', '', 'key store'],
  ['a.jks', '', 'key store'],
  ['passwords.kdbx', '', 'key store'],
  ['.npmrc', '//host/:_authToken=abc123', 'registry token'],
  ['.npmrc', '//host/:_authToken=$' + '{NPM_TOKEN}', undefined],
  ['.npmrc', 'registry=https://u:p@host/', 'registry token'],
  ['.npmrc', 'save-exact=true', undefined],
  ['.yarnrc.yml', 'npmAuthToken: "abc"', 'registry token'],
  ['.yarnrc.yml', 'nodeLinker: node-modules', undefined],
  ['.pypirc', '[pypi]\npassword = pypi-abc', 'registry password'],
  ['.pypirc', '[pypi]\nusername = me', undefined],
  ['pip.conf', 'index-url = https://u:p@host/simple', 'registry password'],
  ['.netrc', 'machine h login u password p', 'netrc password'],
  ['.netrc', 'machine h login u', undefined],
  ['.git-credentials', '', 'git credentials'],
  ['.aws/credentials', '', 'cloud credentials'],
  ['docs/credentials', '', undefined],
  ['.azure/msal_token_cache.json', '', 'cloud credentials'],
  ['.config/gcloud/credentials.db', '', 'cloud credentials'],
  ['application_default_credentials.json', '', 'cloud credentials'],
  ['sa.json', '{"private_key": "-----BEGIN PRIVATE KEY-----"}', 'service account key'],
  ['service-account-prod.json', '{"private_key_id": "abc"}', 'service account key'],
  ['service-account.schema.json', '{"type": "object"}', undefined],
  ['package.json', '{"name": "private_key"}', undefined],
  ['kubeconfig', 'users:\n- user:\n    token: abc', 'cluster credentials'],
  ['kubeconfig.yaml', 'clusters: []', undefined],
  ['.kube/config', '', 'cluster credentials'],
  ['.docker/config.json', '{"auths":{"h":{"auth":"YTpi"}}}', 'container registry login'],
  ['.docker/config.json', '{"auths":{"h":{}}}', undefined],
  ['src/config.json', '{"auth":"basic"}', undefined],
  ['terraform.tfstate', '', 'Terraform state'],
  ['env/terraform.tfstate.backup', '', 'Terraform state'],
  ['prod.tfvars', 'db_password = "hunter2"', 'Terraform variables'],
  ['prod.tfvars', 'region = "eu"', undefined],
  ['.terraformrc', 'credentials "h" { token = "x" }', 'Terraform login'],
  ['config/master.key', 'abc', 'Rails master key'],
  ['.cargo/credentials.toml', '', 'package registry login'],
  ['.pgpass', '', 'database password'],
  ['.htpasswd', '', 'password file'],
  ['gh/hosts.yml', '', 'command line login'],
  ['README.md', 'password = secret', undefined],
  ['src/main.ts', 'const a = 1', undefined],
];

describe('withholding secrets', () => {
  test.each(CASES)('%s with %j: %s', (path, content, reason) => {
    expect(secretReason(path, Buffer.from(content))).toBe(reason);
  });

  test('has a case for every rule', () => {
    const covered = new Set(CASES.map(([, , reason]) => reason));
    expect(SECRET_RULES.map((rule) => rule.reason).filter((reason) => !covered.has(reason))).toEqual([]);
  });

  test('does not let a certificate bundle in that it has not seen to the end', () => {
    expect(secretReason('big.pem', Buffer.from(CERTIFICATE), false)).toBe('PEM file');
  });

  test('decides at once on content that is made to be slow', () => {
    const pieces = [
      '_password',
      'password',
      ' ',
      'http://x:',
      '-----BEGIN A',
      '"private_key"',
      'token',
      '"auth"  ',
    ];
    const paths = [
      '.npmrc',
      '.netrc',
      'kubeconfig',
      'a.tfvars',
      'x.pem',
      '.docker/config.json',
      'sa.json',
      'a.key',
    ];
    for (const piece of pieces) {
      const content = Buffer.from(piece.repeat(100_000) + ' '.repeat(100_000));
      for (const path of paths) secretReason(path, content);
    }
  });
});
