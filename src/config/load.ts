/**
 * Settings from their layers: defaults < user file < project file < environment < flags. The project's file is
 * untrusted: it can tighten, never loosen, and can set no address, key, path or isolation level.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { z } from 'zod';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { networks } from './option-values.ts';
import { asProjectsOwn, joinRiskRules, RISK_KEYS } from './risk-rules.ts';
import {
  defaults,
  type Layer,
  layerSchema,
  projectMay,
  type SettingName,
  type Settings,
  settingsShape,
} from './schema.ts';

export interface LoadedConfig {
  settings: Settings;
  /** Where each value came from. */
  origin: Partial<Record<SettingName, string>>;
}

export interface ConfigSources {
  userFile: HostPath;
  /** The file was named with `--config`: then it must exist. */
  userFileIsRequired: boolean;
  project: HostPath | undefined;
  environment: Record<string, string | undefined>;
  flags: Record<string, unknown>;
}

export const PROJECT_FILE = '.safe-coder.jsonc';

/** Throws `config/invalid` or `config/not-allowed`, naming the file, the key and the nearest known key. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const settings: Settings = { ...defaults };
  const origin: LoadedConfig['origin'] = {};
  const put = (layer: Layer, name: string) => {
    for (const key of Object.keys(layer) as SettingName[]) {
      if (layer[key] === undefined) continue;
      Object.assign(settings, {
        [key]: key === 'ledger' ? { ...settings.ledger, ...layer.ledger } : layer[key],
        ...(key === 'risk' && { risk: joinRiskRules(settings.risk, layer.risk) }),
      });
      origin[key] = name;
    }
  };
  for (const key of Object.keys(defaults) as SettingName[]) origin[key] = 'default';
  put(
    readLayer(sources.userFile, { isRequired: sources.userFileIsRequired, isTrusted: true }),
    sources.userFile,
  );
  if (sources.project !== undefined) {
    const file = join(sources.project, PROJECT_FILE) as HostPath;
    const layer = readLayer(file, { isRequired: false, isTrusted: false });
    refuseLoosening(layer, file);
    put(tighten(settings, layer), file);
  }
  put(parseLayer(environmentLayer(sources.environment), 'the environment (SAFE_CODER_*)'), 'environment');
  put(parseLayer(sources.flags, 'the command line'), 'flag');
  return { settings, origin };
}

/** Larger files are no settings. */
const MOST_BYTES = 1 << 20;

interface LayerFile {
  isRequired: boolean;
  /** The project's file is whoever wrote the project: it may be no link, and nothing that never ends. */
  isTrusted: boolean;
}

function readLayer(file: HostPath, options: LayerFile): Layer {
  const text = readSettings(file, options);
  if (text === undefined) return {};
  const faults: ParseError[] = [];
  const value = parseText(file, text, faults);
  const fault = faults[0];
  if (fault) {
    const line = text.slice(0, fault.offset).split('\n').length;
    throw new SafeCoderError(
      'config/invalid',
      `${file}, line ${line}: ${printParseErrorCode(fault.error)}.`,
      {
        hint: 'The file is JSON; comments and trailing commas are allowed.',
      },
    );
  }
  return parseLayer(value ?? {}, file);
}

/** The parser goes as deep as the text does: brackets without end are a fault of the file like any other. */
function parseText(file: HostPath, text: string, faults: ParseError[]): unknown {
  try {
    return parse(text, faults, { allowTrailingComma: true });
  } catch (error) {
    if (error instanceof RangeError) throw unreadable(file, 'it is nested too deeply', error);
    throw error;
  }
}

/** The text of a regular file of reasonable size; undefined when there is none. Never waits, whatever is at the path. */
function readSettings(file: HostPath, { isRequired, isTrusted }: LayerFile): string | undefined {
  const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
  let fd: number;
  try {
    fd = openSync(file, O_RDONLY | O_NONBLOCK | (isTrusted ? 0 : O_NOFOLLOW));
  } catch (error) {
    // Whatever is wrong with the project's folder itself is told by whoever opens it.
    if (/^(ENOENT|ENOTDIR|EACCES)$/.test(errnoOf(error) ?? '') && !isRequired) return undefined;
    throw unreadable(
      file,
      errnoOf(error) === 'ELOOP' ? 'it is a symlink' : (errnoOf(error) ?? 'unknown'),
      error,
    );
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw unreadable(file, 'it is no regular file');
    if (stat.size > MOST_BYTES) throw unreadable(file, 'it is larger than 1 MB');
    const bytes = Buffer.alloc(stat.size);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

function unreadable(file: string, why: string, cause?: unknown): SafeCoderError {
  return new SafeCoderError('config/invalid', `The settings file ${file} can't be read: ${why}.`, {
    hint: 'Mend or remove it.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function parseLayer(value: unknown, where: string): Layer {
  const result = layerSchema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const known = keysInside(issue.path[0]);
    throw new SafeCoderError(
      'config/invalid',
      `${where}: there is no setting "${[...issue.path, key].join('.')}".`,
      {
        hint: `Did you mean "${nearest(key, known)}"? "safe-coder config" lists all settings.`,
      },
    );
  }
  const path = issue?.path.join('.') ?? '';
  // The value itself stays out of the message: it may be a key.
  throw new SafeCoderError('config/invalid', `${where}: "${path}" ${issue?.message ?? 'is invalid'}.`, {
    hint: describeSetting(issue?.path[0]),
  });
}

function keysInside(name: PropertyKey | undefined): string[] {
  if (name === undefined) return Object.keys(settingsShape);
  if (name === 'risk') return RISK_KEYS;
  return Object.keys((name === 'ledger' ? settingsShape.ledger : settingsShape.apiKeys).shape);
}

function describeSetting(name: PropertyKey | undefined): string {
  const schema = Object.entries(settingsShape).find(([key]) => key === name)?.[1];
  return schema?.description ? `It is: ${schema.description}.` : 'See "safe-coder config".';
}

function refuseLoosening(layer: Layer, file: string): void {
  for (const key of Object.keys(layer) as SettingName[]) {
    if (projectMay.includes(key)) continue;
    throw new SafeCoderError('config/not-allowed', `${file}: a project can't set "${key}".`, {
      hint: `A project's file can only tighten: ${projectMay.join(', ')}. Put "${key}" into your own settings file.`,
    });
  }
}

/** What remains of a project's layer when only the tighter values count. */
function tighten(current: Settings, layer: Layer): Layer {
  const kept: Layer = {};
  for (const key of ['cpus', 'memory', 'disk', 'pids', 'maxTurns', 'maxCost', 'timeout'] as const) {
    const wanted = layer[key];
    if (wanted !== undefined && wanted < (current[key] ?? Number.POSITIVE_INFINITY)) kept[key] = wanted;
  }
  if (layer.risk !== undefined) kept.risk = asProjectsOwn(layer.risk);
  const { network } = layer;
  if (network !== undefined && networks.indexOf(network) < networks.indexOf(current.network))
    kept.network = network;
  return kept;
}

const ENVIRONMENT: Record<string, SettingName> = {
  SAFE_CODER_MODEL: 'model',
  SAFE_CODER_BASE_URL: 'baseUrl',
  SAFE_CODER_ISOLATION: 'isolation',
  SAFE_CODER_BACKEND: 'backend',
  SAFE_CODER_IMAGE: 'image',
  SAFE_CODER_CPUS: 'cpus',
  SAFE_CODER_MEMORY: 'memory',
  SAFE_CODER_DISK: 'disk',
  SAFE_CODER_PIDS: 'pids',
  SAFE_CODER_NETWORK: 'network',
  SAFE_CODER_MAX_TURNS: 'maxTurns',
  SAFE_CODER_MAX_COST: 'maxCost',
  SAFE_CODER_TIMEOUT: 'timeout',
};

/** Variables of ours that are no settings. */
const OTHER_VARIABLES = [
  'SAFE_CODER_HOME',
  'SAFE_CODER_LOG',
  'SAFE_CODER_REQUIRE_VM',
  'SAFE_CODER_TEST_CACHE',
  'SAFE_CODER_API_KEY',
];

function environmentLayer(environment: Record<string, string | undefined>): Record<string, string> {
  const layer: Record<string, string> = {};
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('SAFE_CODER_') || value === undefined || value === '') continue;
    if (OTHER_VARIABLES.includes(variable)) continue;
    const key = ENVIRONMENT[variable];
    if (key === undefined) {
      const known = [...Object.keys(ENVIRONMENT), ...OTHER_VARIABLES];
      throw new SafeCoderError('config/invalid', `There is no variable ${variable}.`, {
        hint: `Did you mean ${nearest(variable, known)}?`,
      });
    }
    layer[key] = value;
  }
  return layer;
}

/** JSON Schema of a settings file, for editors. */
export function settingsJsonSchema(): unknown {
  return z.toJSONSchema(layerSchema, { io: 'input' });
}
