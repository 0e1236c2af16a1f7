/** What a risk rule is: data that says what it looks for, why that matters, and what it does and does not mark. */

/** What may come of a change. */
export type Severity =
  /** Code that the person's machine or CI runs without being asked to. */
  | 'runs'
  /** Words or settings that later agents obey. */
  | 'steers'
  /** What is read is not what is there, or can't be read at all. */
  | 'deceives'
  /** A secret would get into the project. */
  | 'leaks'
  /** Work would be lost. */
  | 'destroys'
  /** Something that guards the project or its users is taken away. */
  | 'weakens';

/** What the rules need to know of a change; any Change of a change set fits. */
export interface RiskChange {
  path: string;
  /** Where a renamed file was. */
  from?: string;
  before?: { mode: string };
  after?: { mode: string };
}

/** The bytes of both sides, as far as they are known. */
export interface RiskContent {
  before?: Uint8Array;
  after?: Uint8Array;
}

/** A change in a rule's examples. What is left out: `src/a.ts`, mode 100644, no old side, and an empty new one. */
export interface ChangeExample {
  path?: string;
  from?: string;
  modeBefore?: string;
  mode?: string;
  before?: string | Uint8Array;
  /** Null for a deletion. */
  after?: string | Uint8Array | null;
}

interface RuleFacts {
  /** Stable name of the rule. */
  id: string;
  severity: Severity;
  /** Shown beside the change, where the rule does not word it itself. */
  reason: string;
}

/** Goes by the name of a file alone, be it added, changed, deleted or renamed from or to there. */
export interface NameRule extends RuleFacts {
  /** See {@link NamePattern} in match-names.ts. */
  names: readonly string[];
  /** Paths. */
  matches: readonly string[];
  not: readonly string[];
}

/** The answer of a rule: its reason, a reason of its own wording, several, or none. */
export type Finding = boolean | string | readonly string[];

/** Goes by modes, names and, for symlinks, the target. Asked for every change. */
export interface ChangeRule extends RuleFacts {
  judge(change: RiskChange, content: RiskContent): Finding;
  matches: readonly ChangeExample[];
  not: readonly ChangeExample[];
}

/** Goes by what a text gains. Asked for every file that is text and has a new side, so it must be cheap. */
export interface TextRule<Facts> extends RuleFacts {
  /** Without one of these in the added lines the rule is not asked. */
  markers?: readonly string[];
  find(facts: Facts): Finding;
  /** A string is the new content of `src/a.ts`. */
  matches: readonly (string | ChangeExample)[];
  not: readonly (string | ChangeExample)[];
}

/** A finding as reasons. */
export function reasonsOf(rule: RuleFacts, finding: Finding): readonly string[] {
  if (typeof finding === 'boolean') return finding ? [rule.reason] : [];
  return typeof finding === 'string' ? [finding] : finding;
}
