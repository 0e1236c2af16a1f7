/** The rules as docs/risk.md has them. */
import { SET_RULES } from '../../src/policy/risk/of-set.ts';
import type { ChangeExample } from '../../src/policy/risk/rule.ts';
import { CHANGE_RULES, NAME_RULES, TEXT_RULES } from '../../src/policy/risk/rules.ts';

/** The generated part of the page: what goes by names, and what goes by anything else. */
export function renderRiskTables(): string {
  const names = NAME_RULES.map(({ id, severity, reason, names: patterns }) => [
    id,
    severity,
    reason,
    patterns.map(code).join(' '),
  ]);
  const changes = [...CHANGE_RULES, ...TEXT_RULES].map((rule) => [
    rule.id,
    rule.severity,
    rule.reason,
    code(showExample(rule.matches[0] ?? '')),
    code(showExample(rule.not[0] ?? '')),
  ]);
  const sets = SET_RULES.map((rule) => [
    rule.id,
    rule.severity,
    rule.reason,
    code(showPaths(rule.matches[0] ?? [])),
    code(showPaths(rule.not[0] ?? [])),
  ]);
  return [
    '### By name',
    table(['rule', 'may', 'reason', 'names'], names),
    '### By mode, symlink, spelling, content, or the whole change set',
    table(['rule', 'may', 'reason', 'marks, for example', 'and not'], [...changes, ...sets]),
  ].join('\n\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function showExample(example: string | ChangeExample): string {
  if (typeof example === 'string') return example;
  const { path, from, mode, before, after } = example;
  const parts = [
    from !== undefined && `${from} →`,
    path,
    mode === '120000' ? `→ ${after}` : mode === '100755' && '(executable)',
    after === null && 'deleted',
    mode !== '120000' && before !== undefined && `${before} →`,
    mode !== '120000' && after,
  ];
  return parts
    .filter((part) => part)
    .map((part) => (typeof part === 'string' ? part : Buffer.from(part as Uint8Array).toString('latin1')))
    .join(' ');
}

function showPaths(paths: readonly string[]): string {
  const shown = paths.slice(0, 2).join(' ');
  return paths.length > 2 ? `${shown} … (${paths.length})` : shown;
}

/** In code quotes, on one line, short, with nothing that does not show. */
function code(text: string): string {
  // The bodies of made-up secrets are left out: scanners of repositories take them for real ones.
  const tame = text.replace(/q7Zk3\w{5,}/g, '…');
  const visible = tame.replace(/[^\x20-\x7e→…]/gu, (char) => {
    if (char === '\n') return '⏎';
    return `<U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`;
  });
  const short = visible.length > 70 ? `${visible.slice(0, 69)}…` : visible;
  return short === '' ? '' : `\`${short.replaceAll('`', "'").replaceAll('|', '\\|')}\``;
}
