/** What a session's record has to be, read back: a hand or a fault may have changed it. */
import { z } from 'zod';
import type { SessionRecord } from './store.ts';

const id = z.string().regex(/^[0-9a-f]{40,64}$/);

const schema = z.looseObject({
  version: z.literal(1),
  id: z.string(),
  project: z.string().startsWith('/'),
  root: z.looseObject({ dev: z.string(), ino: z.string() }).optional(),
  createdAt: z.string(),
  endedAt: z.string().optional(),
  face: z.string(),
  model: z.string().optional(),
  title: z.string(),
  isolation: z.looseObject({ level: z.string(), backend: z.string() }).optional(),
  usage: z.looseObject({ inputTokens: z.number(), outputTokens: z.number(), turns: z.number() }).optional(),
  reason: z.string().optional(),
  base: id.optional(),
  gitHead: id.optional(),
  final: id.optional(),
  head: id.optional(),
  landed: z.array(z.looseObject({ tree: id, at: z.string(), record: z.string().optional() })).optional(),
  ignored: z.looseObject({ count: z.number(), examples: z.array(z.string()) }).optional(),
  origin: z.looseObject({ session: z.string(), entry: id }).optional(),
});

export function isSessionRecord(value: unknown): value is SessionRecord {
  return schema.safeParse(value).success;
}
