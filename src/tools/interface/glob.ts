import { z } from 'zod';
import type { ToolInterface } from '../define-tool.ts';

const schema = z.strictObject({
  pattern: z
    .string()
    .min(1)
    .max(1000)
    .describe('A glob such as "src/**/*.ts", "*.{json,yaml}" or "Makefile".'),
  path: z.string().min(1).optional().describe('Directory to search in. Default: the workspace.'),
  limit: z.number().int().min(1).max(1000).optional().describe('How many names to show. Default: 100.'),
});

export const globInterface: ToolInterface<typeof schema> = {
  name: 'glob',
  description: `Finds files of the workspace by name, newest first.

- "*" and "?" stay within one name, "**" stands for any directories, {a,b} for either, [a-z] for one of several characters.
- A pattern without "/" matches the name at any depth. One with "/" begins where the search begins; a leading "/" means the workspace's root.
- Hidden files are found, files that .gitignore covers are not. To search in contents use grep.`,
  schema,
  example: { pattern: 'src/**/*.ts' },
  isReadOnly: true,
};
