/** What is wrong with a tool's input, in words that a model can act on. */
import type { z } from 'zod';
import { closestNames } from './closest-names.ts';

/** One line for each fault, then an input that would be right. `keys` are the fields that exist. */
export function describeInputFaults(
  tool: string,
  error: z.ZodError,
  keys: readonly string[],
  example: unknown,
): string {
  const lines = error.issues.slice(0, 8).map((issue) => `- ${describeIssue(issue, keys)}`);
  return `Invalid input for ${tool}:\n${lines.join('\n')}\nExample of a valid input: ${JSON.stringify(example)}`;
}

function describeIssue(issue: z.core.$ZodIssue, keys: readonly string[]): string {
  const field = showField(issue.path);
  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys.slice(0, 5).map((key) => describeUnknownKey(key, keys));
    return `${field === '' ? '' : `${field}: `}${unknown.join('; ')}`;
  }
  const message = issue.message
    .replace(/^Invalid input: /, '')
    .replace(', received undefined', ', but it is missing');
  return field === '' ? message : `${field}: ${message}`;
}

/** Names that other programs use for the same thing. */
const OTHER_NAMES: Record<string, string> = {
  file_path: 'path',
  filepath: 'path',
  filename: 'path',
  file: 'path',
  directory: 'path',
  cmd: 'command',
  query: 'pattern',
  regex: 'pattern',
  text: 'content',
  contents: 'content',
  oldString: 'old_string',
  newString: 'new_string',
  timeout: 'timeout_ms',
  workdir: 'cwd',
  run_in_background: 'background',
  todos: 'items',
  id: 'job_id',
};

function describeUnknownKey(key: string, keys: readonly string[]): string {
  const other = OTHER_NAMES[key];
  const meant = other !== undefined && keys.includes(other) ? other : closestNames(key, keys, 1)[0];
  const shown = JSON.stringify(key.slice(0, 60));
  return meant === undefined
    ? `unknown field ${shown} (fields are ${keys.join(', ')})`
    : `unknown field ${shown}, did you mean "${meant}"?`;
}

function showField(path: PropertyKey[]): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : String(part)))
    .join('.')
    .replaceAll('.[', '[');
}
