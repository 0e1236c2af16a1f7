/** Where a search looks. */
import { refuse } from './define-tool.ts';
import type { ToolContext } from './tool.ts';
import { type Located, locate, refuseMissing } from './workspace-path.ts';

/** The place to search, from the workspace's root without a leading slash; empty for the root itself. */
export async function locateTarget(
  context: ToolContext,
  path: string | undefined,
): Promise<{ target: string; located: Located }> {
  const located = await locate(context.sandbox, path ?? '.');
  if (located.stat === undefined) throw await refuseMissing(context.sandbox, located);
  if (located.relative === undefined && located.shown !== '.')
    throw refuse(`${located.shown} can't be searched.`);
  return { target: located.relative ?? '', located };
}

/** A name as search programs print it, from the workspace's root. */
export function withoutDot(name: string): string {
  return name.startsWith('./') ? name.slice(2) : name;
}

/** The name from the directory that the search began in. */
export function below(target: string, name: string): string {
  return target !== '' && name.startsWith(`${target}/`) ? name.slice(target.length + 1) : name;
}
