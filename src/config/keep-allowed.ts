/** A host that the person allowed for good, written into their own settings file with all else as it is. */
import { existsSync, lstatSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { applyEdits, modify, parse } from 'jsonc-parser';
import { SafeCoderError } from '../base/errors.ts';
import { type HostPath, showPath } from '../base/path-bytes.ts';

/**
 * `rule` is HOST or HOST:PORT. A link is followed, as people keep their settings elsewhere; anything but a file is left alone.
 * Throws `config/invalid` for that, and what writing throws; the file is then as it was.
 */
export function keepAllowed(named: HostPath, rule: string): void {
  const userFile = existsSync(named) ? realpathSync(named) : named;
  if (existsSync(userFile) && !lstatSync(userFile).isFile())
    throw new SafeCoderError('config/invalid', `${showPath(named)} is no file: nothing is kept in it.`);
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
