/**
 * The project's git configuration on its way into the guest: read with a parser of our own, and written anew from the
 * settings on a list. What is not on the list (credentials, included files, commands to run) does not come along, and
 * neither does a line that the parser can't make sense of.
 */
import { redactCredentials } from '../policy/credentials.ts';

/** A larger configuration does not come along at all. */
export const MAX_GIT_CONFIG_BYTES = 1 << 20;

export interface GitSetting {
  /** Lower-cased. */
  section: string;
  subsection: string | undefined;
  /** Lower-cased. */
  key: string;
  /** Undefined for a key without a value, which means true. */
  value: string | undefined;
}

/**
 * Settings in order. Never throws: what is malformed is left out, up to the end of its line. One byte per character in
 * and out (latin1).
 */
export function parseGitConfig(text: string): GitSetting[] {
  const settings: GitSetting[] = [];
  let section: { name: string; subsection: string | undefined } | undefined;
  let at = 0;
  while (at < text.length) {
    const char = text[at] ?? '';
    if (/\s/.test(char)) {
      at += 1;
    } else if (char === '#' || char === ';') {
      at = endOfLine(text, at);
    } else if (char === '[') {
      const header = parseHeader(text, at);
      // After a broken header nobody knows whose the settings below are.
      section = header?.section;
      at = header?.end ?? endOfLine(text, at);
    } else {
      const setting = parseSetting(text, at);
      if (section !== undefined && setting.key !== undefined) {
        settings.push({
          section: section.name,
          subsection: section.subsection,
          key: setting.key,
          value: setting.value,
        });
      }
      at = setting.end;
    }
  }
  return settings;
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf('\n', at);
  return end < 0 ? text.length : end + 1;
}

function parseHeader(text: string, at: number) {
  const match = /\[([-.A-Za-z0-9]+)(?:[ \t]+"((?:[^"\\\n]|\\[^\n])*)")?\]/y;
  match.lastIndex = at;
  const found = match.exec(text);
  if (found === null) return undefined;
  const [whole, rawName = '', rawSubsection] = found;
  const name = rawName.toLowerCase();
  const end = at + whole.length;
  if (rawSubsection !== undefined) {
    return { section: { name, subsection: rawSubsection.replace(/\\(.)/g, '$1') }, end };
  }
  // The old form: [branch.name], lower-cased as a whole.
  const dot = name.indexOf('.');
  if (dot < 0) return { section: { name, subsection: undefined }, end };
  return { section: { name: name.slice(0, dot), subsection: name.slice(dot + 1) }, end };
}

const ESCAPES: Record<string, string> = { n: '\n', t: '\t', b: '\b', '"': '"', '\\': '\\' };

function parseSetting(
  text: string,
  start: number,
): { key?: string; value?: string | undefined; end: number } {
  const match = /([A-Za-z][-A-Za-z0-9]*)[ \t]*(=|(?=[\r\n#;]|$))/y;
  match.lastIndex = start;
  const found = match.exec(text);
  if (found === null) return { end: endOfLine(text, start) };
  const key = (found[1] ?? '').toLowerCase();
  let at = start + found[0].length;
  if (found[2] !== '=') return { key, value: undefined, end: endOfLine(text, at) };
  let value = '';
  let pending = '';
  let isQuoted = false;
  for (; at < text.length; at++) {
    const char = text[at] ?? '';
    if (char === '\n') break;
    if (char === '\\') {
      at += 1;
      const next = text[at];
      if (next === '\n' || (next === '\r' && text[at + 1] === '\n')) {
        if (next === '\r') at += 1;
        continue;
      }
      const escaped = next === undefined ? undefined : ESCAPES[next];
      if (escaped === undefined) return { end: endOfLine(text, at) };
      value += pending + escaped;
      pending = '';
    } else if (char === '"') {
      isQuoted = !isQuoted;
      value += pending;
      pending = '';
    } else if (!isQuoted && (char === '#' || char === ';')) {
      at = endOfLine(text, at) - 1;
      if (text[at] !== '\n') at += 1;
      break;
    } else if (!isQuoted && /\s/.test(char)) {
      // Blanks count only between other characters.
      if (value !== '') pending += char;
    } else {
      value += pending + char;
      pending = '';
    }
  }
  return isQuoted ? { end: at + 1 } : { key, value, end: at + 1 };
}

/** Keys that come along, by section. A section with subsections has `.*` behind its name. */
const KEPT: Record<string, readonly string[]> = {
  core: 'repositoryformatversion filemode bare logallrefupdates ignorecase precomposeunicode symlinks autocrlf eol safecrlf abbrev quotepath sparsecheckout sparsecheckoutcone longpaths compression commentchar bigfilethreshold checkroundtripencoding whitespace'.split(
    ' ',
  ),
  extensions: [
    'objectformat',
    'compatobjectformat',
    'refstorage',
    'noop',
    'preciousobjects',
    'relativeworktrees',
    'partialclone',
    'worktreeconfig',
  ],
  user: ['name', 'email', 'useconfigonly'],
  author: ['name', 'email'],
  committer: ['name', 'email'],
  init: ['defaultbranch'],
  'remote.*': [
    'url',
    'pushurl',
    'fetch',
    'push',
    'tagopt',
    'prune',
    'mirror',
    'promisor',
    'partialclonefilter',
    'skipdefaultupdate',
    'skipfetchall',
  ],
  'branch.*': ['remote', 'pushremote', 'merge', 'rebase'],
  'submodule.*': ['url', 'active', 'branch', 'ignore', 'shallow', 'fetchrecursesubmodules'],
  submodule: ['recurse', 'active'],
  pull: ['rebase', 'ff'],
  push: ['default', 'autosetupremote', 'followtags'],
  fetch: ['prune', 'prunetags', 'parallel', 'recursesubmodules'],
  merge: ['ff', 'conflictstyle', 'renames', 'renamelimit', 'log'],
  rebase: ['autostash', 'autosquash', 'updaterefs', 'missingcommitscheck'],
  rerere: ['enabled', 'autoupdate'],
  diff: [
    'algorithm',
    'renames',
    'renamelimit',
    'mnemonicprefix',
    'colormoved',
    'noprefix',
    'submodule',
    'context',
    'indentheuristic',
  ],
  log: ['date', 'decorate', 'follow'],
  commit: ['verbose', 'cleanup', 'status'],
  status: ['showuntrackedfiles', 'branch', 'short', 'submodulesummary'],
  tag: ['sort'],
  blame: ['ignorerevsfile', 'date'],
  color: ['ui', 'branch', 'diff', 'status'],
  column: ['ui'],
  index: ['version', 'threads', 'skiphash'],
  feature: ['manyfiles', 'experimental'],
  pack: ['threads', 'window', 'depth'],
  gc: ['auto', 'autodetach', 'pruneexpire'],
  lfs: ['repositoryformatversion'],
};

export interface SanitisedConfig {
  /** One byte per character (latin1). */
  text: string;
  /** Names of settings that did not come along. */
  dropped: string[];
}

/**
 * The configuration that the guest gets. `extra` settings come last. In a value, user and password are taken out of every
 * URL, and a value that still looks like a credential is left out.
 */
export function sanitiseGitConfig(text: string, extra: readonly GitSetting[] = []): SanitisedConfig {
  const kept: GitSetting[] = [];
  const dropped: string[] = [];
  for (const setting of parseGitConfig(text)) {
    const clean = cleanSetting(setting);
    if (clean) kept.push(clean);
    else dropped.push(`${setting.section}.${setting.key}`);
  }
  return { text: formatGitConfig([...kept, ...extra]), dropped };
}

function cleanSetting(setting: GitSetting): GitSetting | undefined {
  const { section, subsection, key, value } = setting;
  const group = subsection === undefined ? section : `${section}.*`;
  if (!Object.hasOwn(KEPT, group) || !KEPT[group]?.includes(key)) return undefined;
  if (subsection !== undefined && redactCredentials(subsection) !== subsection) return undefined;
  if (value === undefined) return setting;
  const clean = redactCredentials(value);
  if (key === 'url' || key === 'pushurl') {
    // "ext::" and "fd::" addresses run commands; a query may hold a token.
    if (/^[\w-]+::/.test(clean)) return undefined;
    return { ...setting, value: clean.replace(/^(https?:\/\/[^?#]*)[?#].*$/s, '$1') };
  }
  return { ...setting, value: clean };
}

/** Settings as git reads them. */
export function formatGitConfig(settings: readonly GitSetting[]): string {
  let out = '';
  let header: string | undefined;
  for (const { section, subsection, key, value } of settings) {
    const next =
      subsection === undefined ? `[${section}]` : `[${section} "${subsection.replace(/["\\]/g, '\\$&')}"]`;
    if (next !== header) out += `${next}\n`;
    header = next;
    out += value === undefined ? `\t${key}\n` : `\t${key} = ${formatValue(value)}\n`;
  }
  return out;
}

function formatValue(value: string): string {
  const escaped = value
    .replace(/["\\]/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/\t/g, '\\t')
    .replace(/\x08/g, '\\b');
  return `"${escaped}"`;
}

/** The last value of a setting, or undefined. */
export function gitSetting(
  settings: readonly GitSetting[],
  section: string,
  key: string,
): string | undefined {
  return settings.findLast((s) => s.section === section && s.subsection === undefined && s.key === key)
    ?.value;
}
