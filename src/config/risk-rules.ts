/** Risk rules in the settings: what a user, or a project's own file, wants marked in review besides the built-in rules. */
import { z } from 'zod';
import { type UserRiskRule, userPatternFault } from '../policy/risk/user-rules.ts';

/** Text that goes to a screen beside a path. */
const shownText = z
  .string()
  .min(1)
  .max(120)
  .regex(/^[^\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]*$/u, {
    error: 'must hold no characters that do not show',
  });

const rule = z.strictObject({
  match: z
    .string()
    .min(1)
    .max(300)
    .check((context) => {
      const fault = userPatternFault(context.value);
      if (fault !== undefined) context.issues.push({ code: 'custom', message: fault, input: context.value });
    }),
  reason: shownText,
  contains: z.array(z.string().min(1).max(300)).min(1).max(50).optional(),
});

export const riskSchema = z.strictObject({ rules: z.array(rule).max(200) });
export type RiskSettings = z.infer<typeof riskSchema>;

/** Names of the keys inside, for a hint. */
export const RISK_KEYS = ['rules', ...Object.keys(rule.shape)];

/** Rules only ever come together: no layer takes another's away. */
export function joinRiskRules(
  some: RiskSettings | undefined,
  others: RiskSettings | undefined,
): RiskSettings {
  return { rules: [...(some?.rules ?? []), ...(others?.rules ?? [])] };
}

/** The rules of a project's file. Their reasons say whose they are: a project could word one like ours. */
export function asProjectsOwn({ rules }: RiskSettings): RiskSettings {
  return {
    rules: rules.map(
      (each): UserRiskRule => ({ ...each, reason: `${PROJECT_RULE}${each.reason}` }),
    ) as RiskSettings['rules'],
  };
}

const PROJECT_RULE = "the project's own rule: ";
