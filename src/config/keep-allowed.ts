/** A host that the person allowed for good, written into their own settings file with all else as it is. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { applyEdits, modify, parse } from 'jsonc-parser';
import type { HostPath } from '../base/path-bytes.ts';

/** `rule` is HOST or HOST:PORT. Throws what writing throws; the file is then as it was. */
export function keepAllowed(userFile: HostPath, rule: string): void {
  const text = existsSync(userFile) ? readFileSync(userFile, 'utf8') : '{}\n';
  const known: unknown = (parse(text, [], { allowTrailingComma: true }) as { allow?: unknown } | undefined)
    ?.allow;
  const list = Array.isArray(known) ? known : [];
  if (list.includes(rule)) return;
  const edits = modify(text, ['allow'], [...list, rule], {
    formattingOptions: { insertSpaces: true, tabSize: 2 },
  });
  writeFileSync(`${userFile}.new`, applyEdits(text, edits), { mode: 0o600 });
  renameSync(`${userFile}.new`, userFile);
}
