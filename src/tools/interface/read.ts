import { z } from 'zod';
import type { ToolInterface } from '../define-tool.ts';

const schema = z.strictObject({
  path: z.string().min(1).describe('File or directory, absolute or relative to the workspace.'),
  offset: z.number().int().min(1).optional().describe('First line to show, counted from 1. Default: 1.'),
  limit: z.number().int().min(1).max(2000).optional().describe('How many lines to show. Default: 2000.'),
});

export const readInterface: ToolInterface<typeof schema> = {
  name: 'read',
  description: `Reads a file of the workspace and shows its lines as "NUMBER<TAB>LINE".

- Shows at most 2000 lines or 50 KB; a footer then says with which offset to go on. A line longer than 2000 characters is cut.
- A directory is shown as the list of its entries, directories ending in "/".
- PNG, JPEG, GIF and WebP files are shown as pictures. Other binary files are named, not shown.
- Control and invisible characters are shown as \\x1b or <U+202E>.
- A file has to be read before write or edit may change it. Line numbers and the tab are not part of the file.
- Several files can be read at once by several calls side by side.`,
  schema,
  example: { path: 'src/main.ts', offset: 1, limit: 200 },
  isReadOnly: true,
};
