import { describe, expect, it } from 'vitest';
import { riskOf } from '../../../../src/policy/risk.ts';

const file = { mode: '100644' };
const SIZE = 1 << 20;

/** Text that makes patterns which go back slow: each begins what some rule looks for, and never ends it. */
const PIECES = [
  'a',
  'A1',
  ' ',
  '\t',
  ' \t',
  '.',
  '/',
  '-',
  '=',
  '"',
  "'",
  '\\x41',
  '0x41, ',
  'curl ',
  'curl | ',
  'bash <(',
  'vim: ',
  '-*- ',
  'x eval: ',
  'it.skip',
  'password = "',
  'password: ',
  'token',
  'api_key=',
  'a://',
  'a://b:c@',
  'a:b@',
  'Authorization: ',
  'eyJaaaaaaaaaa.',
  'gh',
  'sk-',
  'SG.aaaaaaaaaaaaaaaa.',
  '12345678:AA',
  '-----BEGIN ',
  'https://hooks.slack.com/services/',
  'aws_secret_access_key',
  '|| ',
  '\r',
  '\u0430',
  'p\u0430',
  '\u200d',
  '\ufe0f',
  '\u{1d41a} ',
  'é',
  '#!/',
  'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n',
  '\n',
];
const PATHS = [
  'src/a.ts',
  'test/a.test.ts',
  'package.json',
  'package-lock.json',
  'yarn.lock',
  'pnpm-lock.yaml',
  'Cargo.lock',
  'go.sum',
  'Gemfile.lock',
  'bun.lock',
  'composer.lock',
  '.github/workflows/ci.yml',
  '.npmrc',
  'setup.py',
];

describe('rules answer in time that grows with the text and no faster', () => {
  it.each(PIECES)('on megabytes of %j', (piece) => {
    const text = Buffer.from(piece.repeat(Math.ceil(SIZE / Buffer.byteLength(piece))));
    for (const before of [undefined, text.subarray(1)]) {
      const reasons = riskOf({ path: 'src/a.ts', after: file }, { ...(before && { before }), after: text });
      expect(Array.isArray(reasons)).toBe(true);
    }
  });

  it.each(PATHS)('in %s', (path) => {
    for (const piece of [
      '{',
      '[',
      '{"a":',
      '"a" ',
      '  a@1:\n',
      'a@',
      '  resolved "',
      'name = "a"\n',
      'sha256:a',
      '  a (1) ',
    ]) {
      const after = Buffer.from(piece.repeat(Math.ceil((1 << 20) / piece.length)));
      expect(Array.isArray(riskOf({ path, after: file }, { before: Buffer.from('{}'), after }))).toBe(true);
    }
  });

  it('on names as long as they come', () => {
    for (const piece of ['a', '.', ' ', '/', '\u0430', 'e\u0301', '*compose', 'requirements', '{a,', '[']) {
      const path = piece.repeat(4000);
      expect(Array.isArray(riskOf({ path, after: file }))).toBe(true);
    }
  });

  it('and show no more of a hostile file than fits, nothing of it raw', () => {
    const name = `\u001b[2J\u202e${'x'.repeat(10_000)}`;
    const scripts = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`${name}${at}`, 'x']));
    const reasons = riskOf(
      { path: 'package.json', after: file },
      { after: Buffer.from(JSON.stringify({ scripts, dependencies: { [name]: 'git+https://x.test' } })) },
    );
    expect(reasons.length).toBeLessThan(10);
    for (const reason of reasons) {
      expect(reason.length).toBeLessThan(500);
      expect(reason).not.toMatch(/[\p{C}\p{Default_Ignorable_Code_Point}]/u);
    }
  });

  it('and are not led astray by keys that every object has', () => {
    const json = (text: string) =>
      riskOf({ path: 'package.json', after: file }, { before: Buffer.from('{}'), after: Buffer.from(text) });
    expect(json('{"scripts":{"constructor":"x","__proto__":"y"}}').join()).toContain('constructor');
    expect(json('{"dependencies":{"__proto__":"git+https://x.test/a"}}').join()).toContain('no registry');
    const lock = riskOf(
      { path: 'package-lock.json', after: file },
      { after: Buffer.from('{"packages":{"__proto__":{"version":"1","resolved":"https://x.test/a"}}}') },
    );
    expect(lock.join()).toContain('x.test');
  });
});
