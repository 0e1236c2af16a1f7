/** An entry as `--json` has it. */
import type { TimelineStep } from '../session/timeline.ts';

/** The fields that every command gives; see docs/ledger-json.md. */
export function entryRow(session: string, { entry, input, target }: TimelineStep): Record<string, unknown> {
  const { id, tree, parent, title, at, trailers } = entry;
  return {
    type: 'entry',
    at: at.toISOString(),
    session,
    entry: id,
    tree,
    parent: parent ?? null,
    title,
    ...(input !== undefined && { input }),
    ...(target && { toSeq: target.trailers.seq }),
    ...trailers,
  };
}
