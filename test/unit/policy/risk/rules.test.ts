import { describe, expect, it } from 'vitest';
import { TextFacts } from '../../../../src/policy/risk/facts.ts';
import { compileNames } from '../../../../src/policy/risk/match-names.ts';
import { risksOfSet, SET_RULES } from '../../../../src/policy/risk/of-set.ts';
import {
  type ChangeExample,
  type RiskChange,
  type RiskContent,
  reasonsOf,
} from '../../../../src/policy/risk/rule.ts';
import { CHANGE_RULES, NAME_RULES, TEXT_RULES } from '../../../../src/policy/risk/rules.ts';
import { riskOf } from '../../../../src/policy/risk.ts';

function toChange(example: ChangeExample): { change: RiskChange; content: RiskContent } {
  const { path = 'src/a.ts', from, modeBefore = '100644', mode = '100644', before, after = '' } = example;
  return {
    change: {
      path,
      ...(from !== undefined && { from }),
      ...((before !== undefined || after === null) && { before: { mode: modeBefore } }),
      ...(after !== null && { after: { mode } }),
    },
    content: {
      ...(before !== undefined && { before: Buffer.from(before) }),
      ...(after !== null && { after: Buffer.from(after) }),
    },
  };
}

const show = (example: unknown) => JSON.stringify(example).slice(0, 70);
const changeCases = (kind: 'matches' | 'not') =>
  CHANGE_RULES.flatMap((rule) => rule[kind].map((each) => [rule.id, show(each), rule, each] as const));
const textCases = (kind: 'matches' | 'not') =>
  TEXT_RULES.flatMap((rule) =>
    rule[kind].map((each) => {
      const example = typeof each === 'string' ? { after: each } : each;
      return [rule.id, show(each), rule, example] as const;
    }),
  );
const nameCases = (kind: 'matches' | 'not') =>
  NAME_RULES.flatMap((rule) => rule[kind].map((path) => [rule.id, path, rule] as const));

/** What a text rule says by itself, whether or not it is asked. */
function findingOf(rule: (typeof TEXT_RULES)[number], example: ChangeExample): readonly string[] {
  const { change, content } = toChange(example);
  const facts = new TextFacts(change, content.before, content.after ?? Buffer.alloc(0));
  return reasonsOf(rule, rule.find(facts));
}

describe('a rule on names', () => {
  const names = compileNames(NAME_RULES);
  it.each(nameCases('matches'))('%s marks %s', (_, path, rule) => {
    expect(names.find(path)).toContain(rule);
    expect(riskOf({ path, before: { mode: '100644' } })).toContain(rule.reason);
    expect(riskOf({ path: `deep/down/${path}`, after: { mode: '100644' } })).toContain(rule.reason);
    expect(riskOf({ path: path.toUpperCase(), after: { mode: '100644' } })).toContain(rule.reason);
    expect(riskOf({ path: 'x.txt', from: path, after: { mode: '100644' } })).toContain(rule.reason);
  });
  it.each(nameCases('not'))('%s leaves %s alone', (_, path) => {
    expect(riskOf({ path, before: { mode: '100644' }, after: { mode: '100644' } })).toEqual([]);
  });
});

describe('a rule on changes', () => {
  it.each(changeCases('matches'))('%s marks %s', (_, __, rule, example) => {
    const { change, content } = toChange(example);
    const reasons = reasonsOf(rule, rule.judge(change, content));
    expect(reasons.length).toBeGreaterThan(0);
    expect(riskOf(change, content)).toEqual(expect.arrayContaining([...reasons]));
  });
  it.each(changeCases('not'))('%s leaves %s alone', (_, __, rule, example) => {
    const { change, content } = toChange(example);
    expect(reasonsOf(rule, rule.judge(change, content))).toEqual([]);
  });
});

describe('a rule on texts', () => {
  it.each(textCases('matches'))('%s marks %s', (_, __, rule, example) => {
    const reasons = findingOf(rule, example);
    expect(reasons.length).toBeGreaterThan(0);
    const { change, content } = toChange(example);
    expect(riskOf(change, content), 'its markers let it be asked').toEqual(
      expect.arrayContaining([...reasons]),
    );
  });
  it.each(textCases('not'))('%s leaves %s alone', (_, __, rule, example) => {
    expect(findingOf(rule, example)).toEqual([]);
  });
});

describe('a rule on change sets', () => {
  const toChanges = (paths: readonly string[]): RiskChange[] =>
    paths.map((path) =>
      path.startsWith('-')
        ? { path: path.slice(1), before: { mode: '100644' } }
        : { path: path.replace('+', ''), after: { mode: '100644' } },
    );
  it.each(SET_RULES.map((rule) => [rule.id, rule] as const))('%s keeps to its examples', (_, rule) => {
    for (const paths of rule.matches) {
      const found = rule.judge(toChanges(paths));
      expect(found.size).toBeGreaterThan(0);
      const all = risksOfSet(toChanges(paths));
      for (const [path, reason] of found) expect(all.get(path)).toContain(reason);
    }
    for (const paths of rule.not) expect(rule.judge(toChanges(paths)).size).toBe(0);
  });
});

describe('every rule', () => {
  const all = [...NAME_RULES, ...CHANGE_RULES, ...TEXT_RULES, ...SET_RULES];
  it('has an id of its own, and examples of both kinds', () => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    for (const rule of all)
      expect([rule.id, rule.matches.length > 0, rule.not.length > 0]).toEqual([rule.id, true, true]);
  });
  it('gives a reason that fits on a line', () => {
    for (const { reason } of all) expect(reason).toMatch(/^[\x20-\x7e]{5,90}$/);
  });
});
