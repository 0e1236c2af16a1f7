import { z } from 'zod';
import type { ToolInterface } from '../define-tool.ts';

const schema = z.strictObject({
  path: z.string().min(1).describe('File to create or replace, absolute or relative to the workspace.'),
  content: z.string().describe('The whole content of the file, exactly as it should be.'),
});

export const writeInterface: ToolInterface<typeof schema> = {
  name: 'write',
  description: `Creates a file, or replaces the whole content of one.

- Parent directories are made as needed. The mode of an existing file is kept, and so are CRLF line ends and a byte order mark.
- An existing file must have been read in this session and must not have changed since.
- Give the complete content: no "rest unchanged" placeholders. To change parts of a file, use edit.`,
  schema,
  example: { path: 'src/greet.ts', content: "export const greet = () => 'hello';\n" },
  isReadOnly: false,
};
