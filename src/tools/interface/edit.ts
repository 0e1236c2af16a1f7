import { z } from 'zod';
import type { ToolInterface } from '../define-tool.ts';

const oldString = z
  .string()
  .describe(
    'The text to replace, exactly as it is in the file, without line numbers. Empty: create a new file.',
  );
const newString = z.string().describe('The text to put in its place.');
const replaceAll = z.boolean().describe('Replace every occurrence instead of exactly one. Default: false.');

const schema = z.strictObject({
  path: z.string().min(1).describe('File to change, absolute or relative to the workspace.'),
  edits: z
    .array(
      z.strictObject({
        old_string: oldString,
        new_string: newString,
        replace_all: replaceAll.optional(),
      }),
    )
    .min(1)
    .max(200)
    .optional()
    .describe(
      'The replacements. All are found in the file as it is now, must not overlap, and happen together or not at all.',
    ),
  old_string: oldString.optional().describe('For a single replacement, instead of edits.'),
  new_string: newString.optional().describe('For a single replacement, instead of edits.'),
  replace_all: replaceAll.optional().describe('For a single replacement, instead of edits.'),
});

export const editInterface: ToolInterface<typeof schema> = {
  name: 'edit',
  description: `Replaces parts of a file of the workspace. Give "edits" (one or more), or old_string and new_string for just one.

- The file must have been read in this session.
- Each old_string must be found exactly once, unless replace_all is set: add lines around it until it is unique.
- Differences in whitespace at line ends, typographic quotes and dashes, or one uniform shift of indentation are forgiven, and reported.
- All edits are matched against the file as it is before any of them, must not overlap, and are applied together or not at all.
- Line ends (CRLF), byte order mark, final newline and mode are kept.
- The result is a diff with line numbers: there is no need to read the file again.`,
  schema,
  example: {
    path: 'src/main.ts',
    edits: [{ old_string: 'const port = 80;', new_string: 'const port = 8080;' }],
  },
  isReadOnly: false,
};
