import { z } from 'zod';
import type { ToolInterface } from '../define-tool.ts';

const schema = z.strictObject({
  items: z
    .array(
      z.strictObject({
        id: z.string().max(100).optional(),
        content: z.string().min(1).max(1000).describe('What to do, as one short sentence.'),
        status: z.enum(['pending', 'in_progress', 'completed', 'cancelled']),
        priority: z.enum(['high', 'medium', 'low']).optional(),
      }),
    )
    .max(100)
    .describe('The whole list: it replaces the one before.'),
});

export const todoInterface: ToolInterface<typeof schema> = {
  name: 'todo',
  description: `Keeps the list of steps for the task, which the person watching can see. Each call replaces the whole list.

Use it for work of three or more steps. Have exactly one item in_progress while working, and mark an item completed as soon as it is.`,
  schema,
  example: {
    items: [
      { content: 'Write the parser', status: 'in_progress' },
      { content: 'Test it', status: 'pending' },
    ],
  },
  isReadOnly: true,
};
