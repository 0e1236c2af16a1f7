import { z } from 'zod';
import type { ToolInterface } from '../define-tool.ts';

const schema = z.strictObject({
  command: z.string().min(1).max(100_000).describe('The command line, as for `bash -c`.'),
  description: z
    .string()
    .max(500)
    .optional()
    .describe('What it does, in five to ten words, for the person watching.'),
  timeout_ms: z
    .number()
    .int()
    .min(1)
    .max(600_000)
    .optional()
    .describe('When to move it to the background, in milliseconds. Default: 120000, most: 600000.'),
  background: z
    .boolean()
    .optional()
    .describe('Start it as a background job and return at once. For servers and watchers.'),
  cwd: z
    .string()
    .min(1)
    .optional()
    .describe('Directory for this command only. Default: where the command before ended.'),
});

export const bashInterface: ToolInterface<typeof schema> = {
  name: 'bash',
  description: `Runs a command line with bash in the sandbox and returns its output (standard error included) and exit code.

- The sandbox is a machine of its own: everything is allowed in it, and nothing outside of it can be reached except by the network policy.
- The working directory is kept from call to call while it is inside the workspace; variables and shell options are not. Prefer absolute paths or the workspace root to "cd".
- There is no terminal and no input: a program that asks a question gets end of file. Use flags such as --yes.
- Long output keeps its first 40 % and last 60 % within 2000 lines or 50 KB; the full text is saved in the sandbox, at the path that the result names.
- A command that runs longer than timeout_ms goes on as a background job: read it with bash_output, stop it with bash_kill. Start servers with background: true.
- When a command is over, everything it started is ended too, except background jobs.
- Use read, write, edit, glob and grep instead of cat, sed, find and grep: their results are shorter and safer.`,
  schema,
  example: { command: 'npm test', description: 'Run the unit tests', timeout_ms: 300_000 },
  isReadOnly: false,
};
