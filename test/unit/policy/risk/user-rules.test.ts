import { describe, expect, it } from 'vitest';
import { compileUserRules, userPatternFault } from '../../../../src/policy/risk/user-rules.ts';
import { riskOf } from '../../../../src/policy/risk.ts';

const file = { mode: '100644' };
const marks = (match: string, path: string, from?: string) =>
  riskOf(
    { path, ...(from !== undefined && { from }), after: file },
    {},
    compileUserRules([{ match, reason: 'mine' }]),
  ).includes('mine');

describe('rules of users', () => {
  it.each([
    ['*.sql', 'db/a.sql'],
    ['*.sql', 'db/A.SQL'],
    ['db/*.sql', 'db/a.sql'],
    ['/secret.ts', 'secret.ts'],
    ['migrations/', 'a/migrations/1.ts'],
    ['src/**/auth', 'src/x/y/auth/login.ts'],
    ['Größe.*', 'größe.txt'],
  ])('%s marks %s', (match, path) => {
    expect(marks(match, path)).toBe(true);
  });

  it.each([
    ['*.sql', 'a.sqlite'],
    ['/secret.ts', 'src/secret.ts'],
    ['db/*.sql', 'db/x/a.sql'],
    ['migrations/', 'migrations'],
    ['!package.json', 'package.json'],
  ])('%s does not mark %s', (match, path) => {
    expect(marks(match, path)).toBe(false);
  });

  it('mark a file that was renamed away', () => {
    expect(marks('*.sql', 'a.txt', 'a.sql')).toBe(true);
  });

  it('can ask for a text in added lines', () => {
    const rule = compileUserRules([{ match: '*.sql', reason: 'drops', contains: ['DROP TABLE'] }]);
    const risk = (before: string, after: string) =>
      riskOf(
        { path: 'a.sql', before: file, after: file },
        { before: Buffer.from(before), after: Buffer.from(after) },
        rule,
      );
    expect(risk('', 'DROP TABLE x')).toEqual(['drops']);
    expect(risk('DROP TABLE x\n', 'DROP TABLE x\nselect 1\n')).toEqual([]);
    expect(riskOf({ path: 'a.sql', before: file }, {}, rule)).toEqual([]);
  });

  it('take nothing away from the built-in ones', () => {
    const built = riskOf({ path: 'package.json', after: file });
    const both = riskOf(
      { path: 'package.json', after: file },
      {},
      compileUserRules([{ match: '*', reason: 'mine' }]),
    );
    expect(both).toEqual([...built, 'mine']);
  });

  it('answer at once to a pattern that is made to be slow', () => {
    expect(marks(`${'*a'.repeat(100)}b`, 'a'.repeat(4000))).toBe(false);
  });

  it('say why a pattern is of no use', () => {
    expect(userPatternFault('*.ts')).toBeUndefined();
    expect(userPatternFault('!a')).toContain('take a mark away');
    expect(userPatternFault('')).toContain('matches nothing');
  });
});
