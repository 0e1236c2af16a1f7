/**
 * The settings: one strict schema, from which the files, the environment, `config` and the reference page follow.
 * Values are kept as people write them; {@link Settings} holds them parsed.
 */
import { z } from 'zod';
import { isEgressRule } from '../policy/egress-policy.ts';
import { levels, networks } from './option-values.ts';
import { parseDuration, parseSize } from './quantities.ts';
import { riskSchema } from './risk-rules.ts';

const size = (least: string, most: string) =>
  z
    .union([z.string(), z.number()])
    .transform((value) => parseSize(String(value)))
    .refine(
      (bytes) => bytes !== undefined && bytes >= (parseSize(least) ?? 0) && bytes <= (parseSize(most) ?? 0),
      {
        error: `must be a size from ${least} to ${most}, such as 2G`,
      },
    )
    .transform((bytes) => bytes ?? 0);

const duration = z
  .union([z.string(), z.number()])
  .transform((value) => parseDuration(String(value)))
  .refine((ms) => ms !== undefined && ms > 0, { error: 'must be a duration such as 90s, 10m or 1h30m' })
  .transform((ms) => ms ?? 0);

const hostPattern = z.string().refine(isEgressRule, { error: 'must be HOST, HOST:PORT or *.HOST' });

/** Every setting by its name in files; `.describe` is the text of the reference. */
export const settingsShape = {
  model: z.string().min(1).describe('PROVIDER/NAME of the model, e.g. anthropic/claude-sonnet-4-5'),
  baseUrl: z
    .url({ protocol: /^https?$/ })
    .describe("address of the model's API, where it isn't the provider's own"),
  isolation: z.enum(levels).describe('isolation level; there is never a silent step down'),
  backend: z.enum(['qemu', 'bubblewrap', 'docker', 'demo']).describe('what starts the sandbox'),
  image: z.string().min(1).describe('image of a Docker container, as the engine knows it'),
  dockerRuntime: z
    .string()
    .min(1)
    .describe("the Docker engine's runtime, such as runsc; default: the engine's own"),
  cpus: z.coerce.number().int().min(1).max(64).describe('CPUs of the sandbox'),
  memory: size('256M', '256G').describe('memory of the sandbox'),
  disk: size('256M', '1T').describe('the most that the sandbox can write'),
  pids: z.coerce.number().int().min(16).max(1_000_000).describe('the most processes in the sandbox'),
  network: z.enum(networks).describe('what may leave the sandbox'),
  allow: z.array(hostPattern).describe('hosts that may be reached besides'),
  share: z.array(z.string().min(1)).describe('withheld files to let in, relative to the project'),
  toolchain: z
    .array(z.string().startsWith('/'))
    .describe('more folders of the host to show read-only in the guest'),
  maxTurns: z.coerce.number().int().min(1).describe('the most model requests in one prompt'),
  maxCost: z.coerce.number().positive().describe('the most that one session may cost, in USD'),
  timeout: duration.describe('the longest that a headless session may take'),
  apiKeys: z
    .strictObject({
      anthropic: z.string().min(1).optional(),
      openai: z.string().min(1).optional(),
      google: z.string().min(1).optional(),
      openrouter: z.string().min(1).optional(),
      'openai-compatible': z.string().min(1).optional(),
    })
    .describe('API keys; they stay on the host'),
  ledger: z
    .strictObject({
      signWith: z
        .string()
        .regex(/^(agent$|\/|~\/)/, { error: 'must be "agent" or the absolute path of an SSH key' })
        .describe('SSH key that signs each session: path of a private or public key, or "agent"')
        .optional(),
      maxFileSize: size('1K', '1G').describe('a larger file is not recorded').optional(),
      maxEntrySize: size('1M', '64G').describe('the most that one step may add; the rest waits').optional(),
      maxFiles: z.coerce
        .number()
        .int()
        .min(1000)
        .max(5_000_000)
        .describe('the most changed files that one step lists')
        .optional(),
      maxSize: size('16M', '1T')
        .describe('the most that one session may take; the rest is skipped')
        .optional(),
    })
    .describe('how sessions are recorded: signWith, maxFileSize, maxEntrySize, maxFiles, maxSize'),
  risk: riskSchema.describe(
    'more to mark in review: {"rules": [{"match": PATTERN, "reason": TEXT, "contains": [TEXT]}]}',
  ),
  prices: z
    .record(
      z.string(),
      z.strictObject({ input: z.number(), output: z.number(), cachedInput: z.number().optional() }),
    )
    .describe('prices in USD per million tokens, by model'),
} as const;

export type SettingName = keyof typeof settingsShape;

/** What one layer may hold: any of the settings, nothing else. */
export const layerSchema = z.strictObject(settingsShape).partial();
export type Layer = z.infer<typeof layerSchema>;

/** The settings that a project's own file may hold: they can only tighten. */
export const projectMay: readonly SettingName[] = [
  'cpus',
  'memory',
  'disk',
  'pids',
  'network',
  'maxTurns',
  'maxCost',
  'timeout',
  'risk',
];

export const defaults = {
  isolation: 'vm',
  image: 'debian:12',
  cpus: 2,
  memory: 2 * 2 ** 30,
  disk: 8 * 2 ** 30,
  pids: 4096,
  network: 'none',
  allow: [],
  share: [],
  toolchain: [],
  risk: { rules: [] },
  ledger: { maxFileSize: 50 * 2 ** 20, maxEntrySize: 2 ** 30, maxFiles: 500_000, maxSize: 10 * 2 ** 30 },
} satisfies Layer;

/** All layers together: what has a default is always there. */
export type Settings = Omit<Layer, keyof typeof defaults> & {
  [Key in keyof typeof defaults]: NonNullable<Layer[Key]>;
};
