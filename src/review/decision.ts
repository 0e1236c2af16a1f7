/** What a person decided, as data: it can be saved, sent and replayed. */
import { z } from 'zod';
import { SafeCoderError } from '../base/errors.ts';

/**
 * One path's decision. A renamed file is named by its new path. What else can be said of a path (a part of its hunks)
 * will be further values of `decision`, with fields of their own.
 */
const decisionSchema = z.discriminatedUnion('decision', [
  z.strictObject({ path: z.string().min(1), decision: z.literal('accept') }),
  z.strictObject({ path: z.string().min(1), decision: z.literal('reject') }),
]);
export type Decision = z.infer<typeof decisionSchema>;

const fileSchema = z.strictObject({
  version: z.literal(1),
  /** The final tree that was reviewed: decisions about another are refused. */
  tree: z
    .string()
    .regex(/^[0-9a-f]{40,64}$/)
    .optional(),
  decisions: z.array(decisionSchema),
});
export type DecisionFile = z.infer<typeof fileSchema>;

/** Parses the text of a decisions file. Throws `usage/bad-argument` with the place of the fault. */
export function parseDecisions(text: string, name: string): DecisionFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badFile(name, 'it is no JSON', error);
  }
  const parsed = fileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badFile(name, `${issue?.path.join('.') || 'the whole'}: ${issue?.message}`, parsed.error);
}

function badFile(name: string, what: string, cause: unknown): SafeCoderError {
  return new SafeCoderError('usage/bad-argument', `The decisions in ${name} can't be used: ${what}.`, {
    cause,
    hint: 'Expected {"version": 1, "decisions": [{"path": "src/a.ts", "decision": "accept"}]}.',
  });
}
