/** The bytes of a change. */
import type { Change } from '../diff/change-set.ts';
import type { ChangeBytes } from './file-hunks.ts';

/** A blob of the ledger by its id. */
export type ReadBlob = (oid: string) => Promise<Buffer>;

export async function readSides(change: Change, readBlob: ReadBlob): Promise<ChangeBytes> {
  const before = change.before && (await readBlob(change.before.oid));
  const after = change.after && (await readBlob(change.after.oid));
  return { ...(before && { before }), ...(after && { after }) };
}

/** Changes whose bytes are asked for before their turn has come. */
const AHEAD = 16;
/** Bytes that wait for their turn: with more of them nothing more is asked for. */
const MOST_WAITING = 16 << 20;

/**
 * The bytes of changes in their order. Some are asked for ahead: objects that are borrowed from the project's git come from
 * another process, which would wait for each question. Throws what `readBlob` throws, in its turn.
 */
export async function* readAhead(
  changes: readonly Change[],
  readBlob: ReadBlob,
): AsyncGenerator<{ change: Change; bytes: ChangeBytes }> {
  const asked: { change: Change; read: Promise<ChangeBytes> }[] = [];
  let waiting = 0;
  // What is on its way is taken to be as large as the last that came.
  let underWay = 0;
  let last = 0;
  const hasRoom = () => asked.length < AHEAD && waiting + underWay * last < MOST_WAITING;
  for (let next = 0; next < changes.length || asked.length > 0; ) {
    const change = changes[next];
    if (change !== undefined && (asked.length === 0 || hasRoom())) {
      next += 1;
      underWay += 1;
      const read = readSides(change, readBlob).then((bytes) => {
        underWay -= 1;
        last = sizeOf(bytes);
        waiting += last;
        return bytes;
      });
      // It is reported in its turn; until then nobody listens.
      read.catch(() => undefined);
      asked.push({ change, read });
      continue;
    }
    const first = asked.shift();
    if (first === undefined) continue;
    const bytes = await first.read;
    waiting -= sizeOf(bytes);
    yield { change: first.change, bytes };
  }
}

function sizeOf({ before, after }: ChangeBytes): number {
  return (before?.length ?? 0) + (after?.length ?? 0);
}
