/** The write tool: a whole file at once. */
import { defineTool } from './define-tool.ts';
import {
  countOf,
  diffOf,
  type FileBefore,
  putFile,
  readBefore,
  refuseChanged,
  refuseUnread,
  warnOfOmission,
} from './file-change.ts';
import { writeInterface } from './interface/write.ts';
import { decodeTextFile, encodeTextFile, splitLines } from './text-file.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';
import type { ToolState } from './tool-state.ts';
import { locate } from './workspace-path.ts';

export function createWriteTool(state: ToolState): Tool {
  return defineTool(writeInterface, async (input, context) => {
    const { path } = await locate(context.sandbox, input.path);
    return await state.fileLocks.run(path, () => writeFile(context, state, input));
  });
}

async function writeFile(
  context: ToolContext,
  state: ToolState,
  input: { path: string; content: string },
): Promise<ToolResult> {
  const located = await locate(context.sandbox, input.path);
  const before = await readBefore(context, state, located);
  if (before?.freshness === 'unread') throw refuseUnread(located);
  if (before?.freshness === 'changed') throw refuseChanged(located);
  const bytes = bytesFor(input.content, before);
  if (before?.bytes.equals(bytes)) {
    return {
      ok: true,
      text: `No change: ${located.shown} already has exactly this content.`,
      meta: { changed: false },
    };
  }
  const wrote = await putFile(context, state, located, bytes);
  const diff = diffOf(located.shown, before?.bytes, bytes);
  const lines = splitLines(input.content).length;
  const counts = before === undefined || diff === undefined ? '' : `, ${countOf(diff)}`;
  const done = `${before === undefined ? 'Created' : 'Overwrote'} ${located.shown} (${lines} line${lines === 1 ? '' : 's'}${counts}).`;
  const warning = warnOfOmission(
    input.content,
    before === undefined ? '' : decodeTextFile(before.bytes).text,
  );
  return {
    ok: true,
    text: warning === undefined ? done : `${done}\n${warning}`,
    ...(diff === undefined ? {} : { diff }),
    ...wrote,
    meta: { changed: true, created: before === undefined, bytes: bytes.length, lines },
  };
}

/** The content in the form of the file that it replaces; text with its own CRLF ends is taken as it is. */
function bytesFor(content: string, before: FileBefore | undefined): Buffer {
  if (before === undefined) return encodeTextFile(content, { hasBom: false, hasCrlf: false });
  return encodeTextFile(content, decodeTextFile(before.bytes));
}
