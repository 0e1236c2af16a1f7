/** What write and edit share: is the model's picture of the file still true, and the change itself with its diff. */
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import type { RelPath } from '../base/path-bytes.ts';
import { refuse } from './define-tool.ts';
import { binaryTypeOf } from './file-type.ts';
import { explainGuestFailure, guestErrno } from './guest-failure.ts';
import { LIMITS } from './limits.ts';
import { readWhole, sha256Of } from './read.ts';
import { decodeTextFile } from './text-file.ts';
import type { ToolContext, ToolResult } from './tool.ts';
import type { ToolState } from './tool-state.ts';
import type { Located } from './workspace-path.ts';

export interface FileBefore {
  bytes: Buffer;
  /** `unread`: never read in this session. `changed`: not what was read. */
  freshness: 'fresh' | 'changed' | 'unread';
}

/** The file as it is now, and whether the model has seen it so. Undefined when there is none. */
export async function readBefore(
  context: ToolContext,
  state: ToolState,
  located: Located,
): Promise<FileBefore | undefined> {
  if (located.stat === undefined) return undefined;
  if (located.stat.kind === 'directory') throw refuse(`${located.shown} is a directory.`, 'Name a file.');
  const bytes = await readWhole(context, located, located.stat);
  const record = state.reads.get(located.path);
  const isSame = record?.sha256 === sha256Of(bytes);
  return { bytes, freshness: record === undefined ? 'unread' : isSame ? 'fresh' : 'changed' };
}

export function refuseUnread(located: Located): Error {
  return refuse(
    `${located.shown} exists and was not read in this session.`,
    'Read it with the read tool first, then try again.',
  );
}

export function refuseChanged(located: Located): Error {
  return refuse(
    `${located.shown} has changed since it was read.`,
    'Read it again, then make the change against what is there now.',
  );
}

/** Replaces the file's content in one step (or creates the file, which must then not exist) and remembers it as read. */
export async function putFile(
  context: ToolContext,
  state: ToolState,
  located: Located,
  bytes: Buffer,
): Promise<Pick<ToolResult, 'wrote'>> {
  const isNew = located.stat === undefined;
  try {
    const { stat } = await context.sandbox.write(
      located.path,
      bytes,
      isNew ? { makeParents: true, exclusive: true } : {},
      context.signal,
    );
    state.reads.set(located.path, { sha256: sha256Of(bytes), mtimeNs: stat.mtimeNs });
  } catch (error) {
    if (guestErrno(error) === 'EEXIST') throw refuseUnread(located);
    throw explainGuestFailure(error, `Can't write ${located.shown}`);
  }
  return located.relative === undefined ? {} : { wrote: [located.relative] };
}

/** What more than this many changed lines would cost is not worth a picture of the change. */
const MAX_EDIT_LENGTH = 4000;
const DIFF_DEADLINE_MS = 2000;

/** A unified diff with three lines of context; undefined when it is binary or too different to be worth one. */
export function diffOf(
  path: RelPath | string,
  before: Buffer | undefined,
  after: Buffer,
): string | undefined {
  if ((before !== undefined && binaryTypeOf(before) !== undefined) || binaryTypeOf(after) !== undefined)
    return undefined;
  const patch = createTwoFilesPatch(
    before === undefined ? '/dev/null' : `a/${path}`,
    `b/${path}`,
    before === undefined ? '' : decodeTextFile(before).text,
    decodeTextFile(after).text,
    undefined,
    undefined,
    {
      context: 3,
      maxEditLength: MAX_EDIT_LENGTH,
      timeout: DIFF_DEADLINE_MS,
      headerOptions: FILE_HEADERS_ONLY,
    },
  );
  if (patch === undefined) return undefined;
  return patch.length > LIMITS.diffChars ? `${patch.slice(0, LIMITS.diffChars)}\n[diff cut]\n` : patch;
}

/** How many lines a diff adds and takes away, as `+3 -1`. */
export function countOf(diff: string): string {
  const lines = diff.split('\n').slice(2);
  const added = lines.filter((line) => line.startsWith('+')).length;
  const removed = lines.filter((line) => line.startsWith('-')).length;
  return `+${added} -${removed}`;
}

const OMISSION =
  /^[ \t]*(?:\/\/|#|\/\*+|<!--|--|;|%|\*)?[ \t]*(?:\.{3}|…|\[|\()?[ \t]*(?:\.{3}|…)?[ \t]*(?:rest|remainder|remaining|existing|other|previous|same|unchanged|keep)\b[^\n]{0,60}\b(?:unchanged|here|as before|stays?|remains?|same|code|methods?|functions?|file|content|implementation)\b[^\n]{0,20}$/i;

/** A warning when new text seems to leave out what it should repeat; undefined when all is well. */
export function warnOfOmission(text: string, before: string): string | undefined {
  const line = text
    .split('\n')
    .find(
      (candidate) =>
        /\.{3}|…/.test(candidate) &&
        candidate.length < 200 &&
        OMISSION.test(candidate) &&
        !before.includes(candidate.trim()),
    );
  if (line === undefined) return undefined;
  return `Warning: the new text holds what looks like a placeholder for left-out text (${JSON.stringify(line.trim())}). It was written literally: nothing is filled in.`;
}
