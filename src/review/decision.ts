/** What a person decided, as data: it can be saved, sent and replayed. */
import { z } from 'zod';
import { SafeCoderError } from '../base/errors.ts';
import { showPath } from '../base/path-bytes.ts';

/** What a comment is cut to, and what a file may hold. */
export const MAX_COMMENT_CHARS = 10_000;

/** Bytes in JSON: as text where they are UTF-8, else in base 64. */
const bytesSchema = z.union([z.strictObject({ text: z.string() }), z.strictObject({ base64: z.base64() })]);
export type JsonBytes = z.infer<typeof bytesSchema>;

const comment = z.string().max(MAX_COMMENT_CHARS).optional();
const yesOrNo = z.enum(['accept', 'reject']).optional();
const hunkId = z.string().regex(/^[0-9a-f]{12}$/);

const hunkDecisionSchema = z.discriminatedUnion('decision', [
  /** `undecided` carries a comment; it is not accepted. */
  z.strictObject({ hunk: hunkId, decision: z.enum(['accept', 'reject', 'undecided']), comment }),
  /** Takes the lines of change with these indexes into the hunk's `lines`. */
  z.strictObject({
    hunk: hunkId,
    decision: z.literal('lines'),
    lines: z.array(z.int().nonnegative()),
    comment,
  }),
  /** Puts these bytes in the place of all that the hunk's old side covers, context included. */
  z.strictObject({ hunk: hunkId, decision: z.literal('edit'), new: bytesSchema, comment }),
]);
/** One hunk's decision. A hunk is named by its id, which stays the same whatever is decided about others. */
export type HunkDecision = z.infer<typeof hunkDecisionSchema>;

const common = {
  path: z.string().min(1),
  comment,
  /** What to do where the host's file changed as well: keep the host's, take the agent's, both with markers, or `resolution`. */
  onConflict: z.enum(['mine', 'theirs', 'markers', 'edit']).optional(),
  /** The bytes to write in a conflict; with `onConflict: "edit"` and only there. */
  resolution: bytesSchema.optional(),
};

const decisionSchema = z.discriminatedUnion('decision', [
  z.strictObject({ ...common, decision: z.literal('accept') }),
  z.strictObject({ ...common, decision: z.literal('reject') }),
  z.strictObject({
    ...common,
    decision: z.literal('partial'),
    hunks: z.array(hunkDecisionSchema),
    /** The executable bit, decided apart from the content. */
    mode: yesOrNo,
    /** The new name of a renamed file, decided apart from the content: without it edits land at the old one. */
    rename: yesOrNo,
  }),
]);
/**
 * One path's decision. A renamed file is named by its new path. What is not decided is not accepted: a path, and in a
 * partial decision a hunk, the mode, the rename.
 */
export type Decision = z.infer<typeof decisionSchema>;
export type PartialDecision = Extract<Decision, { decision: 'partial' }>;

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
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw badFile(name, `${issue?.path.join('.') || 'the whole'}: ${issue?.message}`, parsed.error);
  }
  for (const decision of parsed.data.decisions) {
    const fault = decisionFault(decision);
    if (fault !== undefined) throw badFile(name, `${showPath(decision.path)}: ${fault}`);
  }
  return parsed.data;
}

/** Decisions as the text of a file that {@link parseDecisions} reads. */
export function formatDecisions(file: DecisionFile): string {
  return `${JSON.stringify(file)}\n`;
}

/** Bytes as JSON holds them, without loss. */
export function toJsonBytes(bytes: Buffer): JsonBytes {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? { text } : { base64: bytes.toString('base64') };
}

export function fromJsonBytes(value: JsonBytes): Buffer {
  return 'text' in value ? Buffer.from(value.text, 'utf8') : Buffer.from(value.base64, 'base64');
}

/** What the form alone does not rule out. */
function decisionFault(decision: Decision): string | undefined {
  if ((decision.onConflict === 'edit') !== (decision.resolution !== undefined)) {
    return 'a resolution goes with onConflict "edit", and that with a resolution';
  }
  if (decision.decision !== 'partial') return undefined;
  const ids = decision.hunks.map(({ hunk }) => hunk);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  return twice === undefined ? undefined : `hunk ${twice} is decided twice`;
}

function badFile(name: string, what: string, cause?: unknown): SafeCoderError {
  return new SafeCoderError('usage/bad-argument', `The decisions in ${name} can't be used: ${what}.`, {
    cause,
    hint: 'Expected {"version": 1, "decisions": [{"path": "src/a.ts", "decision": "accept"}]}.',
  });
}
