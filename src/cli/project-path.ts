/** A file of the project as a person names it. */
import { isAbsolute, relative, resolve } from 'node:path';
import { SafeCoderError } from '../base/errors.ts';
import { type HostPath, parseRelPath, type RelPath, showPath } from '../base/path-bytes.ts';

/** Relative to the project, or absolute inside it. The file need not exist. Throws `usage/bad-argument` for any other. */
export function parseProjectPath(text: string, project: HostPath): RelPath {
  const path = parseRelPath(
    isAbsolute(text) ? relative(project, resolve(text)) : text.replace(/^(\.\/)+/, ''),
  );
  if (path !== undefined) return path;
  throw new SafeCoderError('usage/bad-argument', `${showPath(text)} is no file of the project.`, {
    hint: 'Name it relative to the project, e.g. src/main.ts',
  });
}
