import { z } from 'zod';
import type { ToolInterface } from '../define-tool.ts';

const schema = z.strictObject({
  job_id: z.string().min(1).max(40).describe('The job, as bash named it, e.g. "job-1".'),
  since: z
    .number()
    .int()
    .min(0)
    .optional()
    .describe(
      'Show output from this position on. Default: what was not shown yet. A result names the next position.',
    ),
});

export const bashOutputInterface: ToolInterface<typeof schema> = {
  name: 'bash_output',
  description: `Shows what a background job has written since it was last looked at, and whether it still runs or how it ended.

Returns at once: to wait for something, run a short command such as "sleep 5" with bash first.`,
  schema,
  example: { job_id: 'job-1' },
  isReadOnly: true,
};
