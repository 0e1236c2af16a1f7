/** `undo`: take back what was applied. */
import { previewUndo, undo as undoApply } from '../../apply/undo.ts';
import { EXIT } from '../../base/errors.ts';
import type { EventBody } from '../../base/events.ts';
import { type HostPath, showPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { settleInterrupted } from '../../session/apply-changes.ts';
import { SessionStore } from '../../session/store.ts';
import { confirm } from '../confirm.ts';
import { type CommonFlags, createContext, withSignals } from '../context.ts';
import { createFace } from '../start-session.ts';

export async function undo(
  id: string | undefined,
  flags: CommonFlags & { yes?: boolean; dryRun?: boolean },
): Promise<void> {
  const context = createContext(flags);
  const face = createFace(context);
  const { record } = new SessionStore(context.directories.state).find(id, context.project);
  const emit = (event: EventBody) =>
    face.show({ ...event, at: new Date().toISOString(), session: record.id });
  await settleInterrupted(context.directories.state, emit);
  const options = {
    root: record.project as HostPath,
    stateDir: context.directories.state,
    session: record.id,
  };
  const found = await previewUndo(options);
  if (!context.json) {
    for (const { path, action } of found.actions) context.err.write(`  ${DID[action]} ${showPath(path)}\n`);
    for (const { path, reason } of found.conflicts)
      context.err.write(`  left alone  ${showPath(path)}: ${reason}\n`);
  } else if (flags.dryRun) {
    context.out.write(
      `${toInertJson({ type: 'undo.preview', at: new Date().toISOString(), session: record.id, ...found })}\n`,
    );
  }
  if (flags.dryRun) {
    if (found.conflicts.length > 0) process.exitCode = EXIT.conflict;
    return;
  }
  if (!(await confirm(context, `Take this back in ${showPath(record.project)}?`, flags.yes === true))) return;
  process.exitCode = await withSignals(async (signal) => {
    const done = await undoApply({ ...options, signal });
    const { applied, conflicts, refused, warnings } = done;
    for (const message of warnings) emit({ type: 'warning', code: 'apply/note', message });
    if (context.json) {
      context.out.write(
        `${toInertJson({ type: 'undone', at: new Date().toISOString(), session: record.id, undone: applied, conflicts, refused })}\n`,
      );
    } else {
      const { style } = context.err;
      if (applied.length > 0)
        context.err.write(
          `${style.green('✓')} ${applied.length === 1 ? '1 file is' : `${applied.length} files are`} as before\n`,
        );
      for (const { path, reason } of conflicts)
        context.err.write(`${style.red('✗')} ${showPath(path)} was left alone: ${reason}\n`);
    }
    return conflicts.length > 0 ? EXIT.conflict : EXIT.done;
  });
}

const DID = { add: 'bring back ', replace: 'restore    ', delete: 'remove     ' } as const;
