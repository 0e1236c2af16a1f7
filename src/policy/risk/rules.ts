/** All rules, in the order in which their reasons are shown. docs/risk.md lists them. */
import { CHANGES } from './changes.ts';
import { CHARACTERS } from './characters.ts';
import { COMMANDS } from './commands.ts';
import type { TextFacts } from './facts.ts';
import { LOCKFILES } from './lockfiles.ts';
import { MANIFESTS } from './manifest.ts';
import { AGENTS } from './names-agents.ts';
import { BUILDS } from './names-builds.ts';
import { EDITORS_AND_SHELLS } from './names-editors.ts';
import { GIT_AND_CI } from './names-git-ci.ts';
import { PACKAGES } from './names-packages.ts';
import type { ChangeRule, NameRule, TextRule } from './rule.ts';
import { SECRETS } from './secrets-in-lines.ts';
import { SHAPES } from './shapes.ts';

export const NAME_RULES: readonly NameRule[] = [
  ...GIT_AND_CI,
  ...EDITORS_AND_SHELLS,
  ...PACKAGES,
  ...BUILDS,
  ...AGENTS,
];

export const CHANGE_RULES: readonly ChangeRule[] = CHANGES;

export const TEXT_RULES: readonly TextRule<TextFacts>[] = [
  ...MANIFESTS,
  ...LOCKFILES,
  ...COMMANDS,
  ...CHARACTERS,
  ...SHAPES,
  ...SECRETS,
];
