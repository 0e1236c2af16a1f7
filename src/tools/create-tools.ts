/** All tools of one session. */
import { createBashTool } from './bash.ts';
import { createBashKillTool, createBashOutputTool } from './bash-jobs.ts';
import { createEditTool } from './edit.ts';
import { createGlobTool } from './glob.ts';
import { createGrepTool } from './grep.ts';
import { createReadTool } from './read.ts';
import { createTodoTool } from './todo.ts';
import type { Tool } from './tool.ts';
import { createToolState, type ToolState } from './tool-state.ts';
import { createWriteTool } from './write.ts';

export interface ToolsOptions {
  /** What the tools remember; give it to see jobs and todos, and dispose it with the session. Default: a new one. */
  state?: ToolState;
}

/**
 * The tools, in the order in which a model should read about them: always the same, so that prompts can be cached. Does no
 * I/O. One set belongs to one session and one sandbox; background jobs end with the sandbox at the latest.
 */
export function createTools(options: ToolsOptions = {}): Tool[] {
  const state = options.state ?? createToolState();
  return [
    createReadTool(state),
    createWriteTool(state),
    createEditTool(state),
    createBashTool(state),
    createBashOutputTool(state),
    createBashKillTool(state),
    createGlobTool(state),
    createGrepTool(state),
    createTodoTool(state),
  ];
}
