/** The todo tool: the session's list of steps, in memory only. */
import { defineTool } from './define-tool.ts';
import { todoInterface } from './interface/todo.ts';
import type { Tool } from './tool.ts';
import type { TodoItem, TodoStatus, ToolState } from './tool-state.ts';

const MARKS: Record<TodoStatus, string> = {
  pending: '[ ]',
  in_progress: '[>]',
  completed: '[x]',
  cancelled: '[-]',
};

export function createTodoTool(state: ToolState): Tool {
  return defineTool(todoInterface, async (input) => {
    state.todos = input.items;
    return {
      ok: true,
      text: [...showTodos(input.items), ...warnings(input.items)].join('\n'),
      meta: { items: input.items },
    };
  });
}

function showTodos(items: TodoItem[]): string[] {
  if (items.length === 0) return ['The list is empty.'];
  const done = items.filter((item) => item.status === 'completed').length;
  return [
    `${done} of ${items.length} done`,
    ...items.map(
      (item) =>
        `${MARKS[item.status]} ${item.content.replace(/\s+/g, ' ')}${item.priority === undefined ? '' : ` (${item.priority})`}`,
    ),
  ];
}

function warnings(items: TodoItem[]): string[] {
  const active = items.filter((item) => item.status === 'in_progress').length;
  return active > 1 ? [`Warning: ${active} items are in_progress; work on one at a time.`] : [];
}
