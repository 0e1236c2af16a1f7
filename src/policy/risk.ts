/** Why a change wants a closer look before it lands: what would run later, what can't be seen. Pure rules. */
import { isDotGit } from './apply-path.ts';
import { nameRisks } from './risk-files.ts';
import { contentRisks } from './risk-text.ts';

/** What the rules need to know of a change; any Change of a change set fits. */
export interface RiskChange {
  path: string;
  before?: { mode: string };
  after?: { mode: string };
}

/** The bytes of both sides, as far as they are known. */
export interface RiskContent {
  before?: Uint8Array;
  after?: Uint8Array;
}

/**
 * Reasons in words for a person; none for a change that carries no known risk. Deleting one of these files also counts:
 * it may switch a guard off. Without content only names and modes are judged.
 */
export function riskOf(change: RiskChange, content: RiskContent = {}): string[] {
  const reasons = [...nameRisks(change.path), ...modeRisks(change), ...spellingRisks(change.path)];
  if (content.after !== undefined && change.after !== undefined && change.after.mode !== '120000') {
    reasons.push(...contentRisks(change.path, content.before, content.after));
  }
  return reasons;
}

function modeRisks({ before, after }: RiskChange): string[] {
  if (after === undefined) return [];
  if (after.mode === '120000')
    return [before?.mode === '120000' ? 'symlink: points elsewhere now' : 'symlink'];
  if (after.mode === '100755' && before?.mode !== '100755') {
    return [before === undefined ? 'new executable' : 'becomes executable'];
  }
  if (before?.mode === '100755' && after.mode === '100644') return ['no longer executable'];
  return [];
}

function spellingRisks(path: string): string[] {
  const reasons: string[] = [];
  if (path.split('/').some(isDotGit)) reasons.push('inside a .git folder: never applied');
  if (/[\p{C}\p{Default_Ignorable_Code_Point}]/u.test(path))
    reasons.push('its name holds characters that do not show');
  return reasons;
}
