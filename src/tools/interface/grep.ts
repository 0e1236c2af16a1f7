import { z } from 'zod';
import type { ToolInterface } from '../define-tool.ts';

const schema = z.strictObject({
  pattern: z.string().min(1).max(5000).describe('A regular expression in ripgrep (Rust) syntax.'),
  path: z.string().min(1).optional().describe('File or directory to search in. Default: the workspace.'),
  glob: z
    .string()
    .min(1)
    .max(1000)
    .optional()
    .describe('Only files whose name matches, e.g. "*.ts" or "src/**/*.c".'),
  type: z
    .string()
    .regex(/^[A-Za-z0-9_+-]{1,32}$/, 'a name such as "ts", "py" or "rust"')
    .refine((type) => !type.startsWith('-'), 'a name such as "ts", "py" or "rust"')
    .optional()
    .describe('Only files of a type that ripgrep knows, e.g. "ts", "py", "rust".'),
  mode: z
    .enum(['files', 'content', 'count'])
    .optional()
    .describe(
      'files (default): names of files with a match. content: matching lines. count: matches for each file.',
    ),
  context: z
    .number()
    .int()
    .min(0)
    .max(20)
    .optional()
    .describe('Lines to show around each match, in content mode.'),
  ignore_case: z.boolean().optional().describe('Let upper and lower case be the same. Default: false.'),
  multiline: z
    .boolean()
    .optional()
    .describe('Let a match span lines, and "." match line ends. Default: false.'),
  head_limit: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe('How many results to show. Default: 100.'),
  offset: z.number().int().min(0).optional().describe('How many results to pass over first. Default: 0.'),
});

export const grepInterface: ToolInterface<typeof schema> = {
  name: 'grep',
  description: `Searches the contents of the workspace's files with a regular expression.

- mode "files" names files with a match, newest first; "content" shows lines as path:line:text; "count" counts.
- Hidden files are searched, files that .gitignore covers and binary files are not.
- Escape braces and parentheses that are meant literally: "interface\\{\\}", "call\\(".
- Shows 100 results; a note then says with which offset to go on. Lines are cut at 500 characters.`,
  schema,
  example: { pattern: 'function \\w+Error\\(', glob: '*.ts', mode: 'content', context: 2 },
  isReadOnly: true,
};
