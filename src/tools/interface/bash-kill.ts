import { z } from 'zod';
import type { ToolInterface } from '../define-tool.ts';

const schema = z.strictObject({
  job_id: z.string().min(1).max(40).describe('The job, as bash named it, e.g. "job-1".'),
});

export const bashKillInterface: ToolInterface<typeof schema> = {
  name: 'bash_kill',
  description:
    'Stops a background job and everything it started: SIGTERM first, and SIGKILL after two seconds. Returns the last of its output.',
  schema,
  example: { job_id: 'job-1' },
  isReadOnly: false,
};
