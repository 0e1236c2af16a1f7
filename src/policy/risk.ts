/** Why a change wants a closer look before it lands: what would run later, what can't be seen. Pure rules. */
import { isBinary } from '../base/is-binary.ts';
import { TextFacts } from './risk/facts.ts';
import { compileNames } from './risk/match-names.ts';
import { type NameRule, type RiskChange, type RiskContent, reasonsOf } from './risk/rule.ts';
import { CHANGE_RULES, NAME_RULES, TEXT_RULES } from './risk/rules.ts';
import { compiledKind, MAX_READ_BYTES } from './risk/shapes.ts';
import type { UserRules } from './risk/user-rules.ts';

/**
 * Reasons in words for a person; none for a change that carries no known risk. Deleting one of the marked files also counts:
 * it may switch a guard off. Without content only names and modes are judged. Takes time in proportion to both sides, whatever
 * they hold. `user` adds reasons, see {@link compileUserRules}.
 */
export function riskOf(change: RiskChange, content: RiskContent = {}, user?: UserRules): string[] {
  const reasons = nameReasons(change);
  for (const rule of CHANGE_RULES) reasons.push(...reasonsOf(rule, rule.judge(change, content)));
  const { after } = content;
  const isFile = after !== undefined && change.after !== undefined && change.after.mode !== '120000';
  const isText = isFile && !isBinary(after) && after.length <= MAX_READ_BYTES;
  const facts = isText ? new TextFacts(change, content.before, after) : undefined;
  if (isFile) reasons.push(...formReasons(change.path, after));
  if (facts !== undefined) reasons.push(...textReasons(facts));
  if (user !== undefined) {
    const paths = change.from === undefined ? [change.path] : [change.path, change.from];
    reasons.push(...user(paths, () => facts?.added));
  }
  return reasons;
}

let names: ReturnType<typeof compileNames<NameRule>> | undefined;

/** A renamed file counts under both of its names. */
function nameReasons({ path, from }: RiskChange): string[] {
  names ??= compileNames(NAME_RULES);
  const found = names.find(path);
  if (from !== undefined) for (const rule of names.find(from)) found.add(rule);
  return found.size === 0 ? [] : NAME_RULES.filter((rule) => found.has(rule)).map(({ reason }) => reason);
}

/** What of a file no text rule can judge. */
function formReasons(path: string, after: Uint8Array): string[] {
  const compiled = compiledKind(path, after);
  if (compiled !== undefined) return [`compiled code: ${compiled}`];
  if (isBinary(after)) return ['binary file: its content was not shown'];
  return after.length > MAX_READ_BYTES ? ['so large a text that it was not looked at'] : [];
}

const ALWAYS = TEXT_RULES.filter(({ markers }) => markers === undefined);
const MARKED = TEXT_RULES.filter(({ markers }) => markers !== undefined);
/** One look for all markers, which most texts end with. */
const ANY_MARKER = new RegExp(
  MARKED.flatMap(({ markers = [] }) => markers)
    .map((marker) => marker.replace(/[.*+?^$()|[\]\\{}]/g, '\\$&'))
    .join('|'),
);

function textReasons(facts: TextFacts): string[] {
  const { added } = facts;
  const asked = ANY_MARKER.test(added)
    ? TEXT_RULES.filter(({ markers }) => markers?.some((marker) => added.includes(marker)) ?? true)
    : ALWAYS;
  const reasons: string[] = [];
  for (const rule of asked) reasons.push(...reasonsOf(rule, rule.find(facts)));
  return reasons;
}
