/** The journal of one apply or undo: what it means to do, written before anything in the project changes. */
import { z } from 'zod';
import type { RelPath } from '../base/path-bytes.ts';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const path = z.string().min(1) as unknown as z.ZodType<RelPath>;

/** One side of a step. Bytes are found by `sha256`. */
const sideSchema = z.strictObject({
  kind: z.enum(['file', 'symlink']),
  sha256,
  executable: z.boolean(),
  /** Blob id in the session's ledger, where the bytes are as well. */
  oid: z
    .string()
    .regex(/^[0-9a-f]{40,64}$/)
    .optional(),
  /** Exact permissions; without them a new file gets the usual ones. */
  mode: z.int().min(0).max(0o777).optional(),
  mtimeNs: z
    .string()
    .regex(/^-?\d+$/)
    .optional(),
  uid: z.int().optional(),
  gid: z.int().optional(),
});
export type Side = z.infer<typeof sideSchema>;

const stepSchema = z.strictObject({
  path,
  old: sideSchema.optional(),
  new: sideSchema.optional(),
  /** Steps of one group are taken back together: the two halves of a rename. */
  group: z.string().optional(),
});
/** One path: from what was there to what shall be there. */
export type Step = z.infer<typeof stepSchema>;

const folderSchema = z.strictObject({
  path,
  mode: z.int().min(0).max(0o7777).optional(),
  uid: z.int().optional(),
  gid: z.int().optional(),
});
/** A folder that comes or goes with the files in it. */
export type Folder = z.infer<typeof folderSchema>;

const keptSchema = z.strictObject({ sha256, offset: z.int().min(0), size: z.int().min(0) });
/** Where one old content is in the file of kept contents. */
export type KeptRange = z.infer<typeof keptSchema>;

export const recordSchema = z.strictObject({
  version: z.literal(1),
  id: z.string().regex(/^[0-9a-f]{16}$/),
  kind: z.enum(['apply', 'undo', 'redo']),
  session: z.string(),
  at: z.string(),
  root: z.strictObject({ path: z.string(), dev: z.string(), ino: z.string() }),
  /** The record that this one takes back. */
  reverses: z.string().optional(),
  steps: z.array(stepSchema),
  kept: z.array(keptSchema),
  /** Top first. */
  createdFolders: z.array(folderSchema),
  /** Deepest first. */
  removedFolders: z.array(folderSchema),
});
/** What was done; kept per session, and what undo starts from. */
export type ApplyRecord = z.infer<typeof recordSchema>;

export const journalSchema = z.strictObject({
  state: z.enum(['working', 'committed']),
  /** Name of the stage in the project's root. */
  stage: z.string(),
  record: recordSchema,
});
export type Journal = z.infer<typeof journalSchema>;
