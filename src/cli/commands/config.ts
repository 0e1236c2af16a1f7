/** `config`: the settings as they hold here, with where each came from. */
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { settingsJsonSchema } from '../../config/load.ts';
import { showDuration, showSize } from '../../config/quantities.ts';
import { type SettingName, settingsShape } from '../../config/schema.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { type CommonFlags, createContext } from '../context.ts';

export async function config(flags: CommonFlags & { origin?: boolean; schema?: boolean }): Promise<void> {
  const context = createContext(flags);
  if (flags.schema) {
    context.out.write(`${JSON.stringify(settingsJsonSchema(), null, 2)}\n`);
    return;
  }
  const { settings, origin } = context.config;
  for (const name of Object.keys(settingsShape) as SettingName[]) {
    const value = name === 'apiKeys' ? hideKeys(settings.apiKeys) : settings[name];
    if (context.json) {
      const row = {
        type: 'setting',
        at: new Date().toISOString(),
        session: null,
        name,
        value: value ?? null,
        origin: origin[name] ?? null,
      };
      context.out.write(`${toInertJson(row)}\n`);
      continue;
    }
    const { style } = context.out;
    const shown = value === undefined ? style.dim('not set') : escapeForTerminal(show(name, value));
    const from = flags.origin
      ? style.dim(`  (${origin[name] ?? settingsShape[name].description ?? ''})`)
      : '';
    context.out.write(`${name.padEnd(10)} ${shown}${from}\n`);
  }
}

/** Which keys there are; never what they are. */
function hideKeys(keys: Record<string, string | undefined> | undefined): Record<string, string> | undefined {
  if (keys === undefined) return undefined;
  return Object.fromEntries(Object.keys(keys).map((name) => [name, '(hidden)']));
}

function show(name: SettingName, value: unknown): string {
  if (typeof value === 'number') {
    if (name === 'memory' || name === 'disk') return showSize(value);
    if (name === 'timeout') return showDuration(value);
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}
