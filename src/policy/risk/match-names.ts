/** Names against the patterns of name rules: ten thousand paths take milliseconds, whatever they look like. */
import { foldName } from '../apply-path.ts';
import type { NameRule } from './rule.ts';

/**
 * How the patterns are written; all compare folded names, and match at any depth:
 * `name` a file, `folder/**` everything in a folder, `folder/name` a file right in a folder. In the last component (and, by
 * braces alone, in folders) `*` stands for any characters but slashes, `{a,b}` for one of several, `[ab]` for one character.
 */
interface Matcher<T> {
  /** The rules for this path, in no order. */
  find(path: string): Set<T>;
}

/** Compiles the names of rules once. */
export function compileNames<T extends Pick<NameRule, 'names'>>(rules: readonly T[]): Matcher<T> {
  const files = new Map<string, T[]>();
  const folders = new Map<string, T[]>();
  /** By what follows a leading star, which begins with a dot. */
  const endings = new Map<string, T[]>();
  const globs: { glob: RegExp; rule: T }[] = [];
  const inFolder = new Map<string, { glob: RegExp; rule: T }[]>();
  const put = <V>(map: Map<string, V[]>, key: string, value: V) => {
    const list = map.get(key);
    if (list === undefined) map.set(key, [value]);
    else list.push(value);
  };
  for (const rule of rules) {
    for (const pattern of rule.names) {
      const slash = pattern.lastIndexOf('/');
      const last = foldName(pattern.slice(slash + 1));
      const heads = slash < 0 ? [] : expandBraces(foldName(pattern.slice(0, slash)));
      if (last === '**') for (const head of heads) put(folders, head, rule);
      else if (slash >= 0) {
        const glob = globToRegExp(last);
        for (const head of heads) put(inFolder, head, { glob, rule });
      } else {
        for (const each of expandBraces(last)) {
          if (/^\*\.[^*[]+$/.test(each)) put(endings, each.slice(1), rule);
          else if (/[*[]/.test(each)) globs.push({ glob: globToRegExp(each), rule });
          else put(files, each, rule);
        }
      }
    }
  }
  const anyGlob = new RegExp(globs.map(({ glob }) => glob.source).join('|'));

  const find = (path: string): Set<T> => {
    const found = new Set<T>();
    const parts = foldPath(path).split('/');
    const name = parts.pop() ?? '';
    for (const rule of files.get(name) ?? []) found.add(rule);
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      for (const rule of endings.get(name.slice(dot)) ?? []) found.add(rule);
    }
    if (anyGlob.test(name)) for (const { glob, rule } of globs) if (glob.test(name)) found.add(rule);
    let above: string | undefined;
    for (const part of parts) {
      for (const rule of folders.get(part) ?? []) found.add(rule);
      if (above !== undefined) for (const rule of folders.get(`${above}/${part}`) ?? []) found.add(rule);
      above = part;
    }
    if (above !== undefined) {
      for (const { glob, rule } of inFolder.get(above) ?? []) if (glob.test(name)) found.add(rule);
    }
    return found;
  };
  return { find };
}

/** The path as the most forgiving file system would compare it: no case, no invisible letters, no dots at the end. */
export function foldPath(path: string): string {
  const folded = /^[\x20-\x7e]*$/.test(path) ? path.toLowerCase() : foldName(path);
  return /[ .](?:\/|$)/.test(folded)
    ? folded
        .split('/')
        .map((part) => trimEnd(part))
        .join('/')
    : folded;
}

/** Not by a pattern: one that is anchored at the end takes long for a name of many dots. */
function trimEnd(part: string): string {
  let end = part.length;
  while (end > 0 && (part[end - 1] === '.' || part[end - 1] === ' ')) end -= 1;
  return end === 0 ? part : part.slice(0, end);
}

function expandBraces(pattern: string): string[] {
  const found = /^(.*?)\{([^{}]*)\}(.*)$/.exec(pattern);
  if (found === null) return [pattern];
  const [, before = '', choices = '', after = ''] = found;
  return choices.split(',').flatMap((choice) => expandBraces(before + choice + after));
}

function globToRegExp(glob: string): RegExp {
  const source = expandBraces(glob).map((each) =>
    each
      .split(/(\*|\[[^\]]*\])/)
      .map((token) => {
        if (token === '*') return '[^/]*';
        return token.startsWith('[') ? token : token.replace(/[.+^$()|\\?]/g, '\\$&');
      })
      .join(''),
  );
  return new RegExp(`^(?:${source.join('|')})$`, 'u');
}
