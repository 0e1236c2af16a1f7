/** Appends entries to the ledger named by the argument until it is killed, and prints each one's number. */
import { randomBytes } from 'node:crypto';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import { openLedgerWriter } from '../../../src/ledger/writer.ts';

await using writer = await openLedgerWriter((process.argv[2] ?? '') as HostPath);
const sink = writer.blobSink();
for (let round = 0; ; round++) {
  const written = ['x', 'y/z', `n${round}`].map((path) => {
    const bytes = randomBytes(2000);
    return { path: path as RelPath, mode: '100644' as const, oid: sink.writeBlob(bytes.length, [bytes]) };
  });
  const entry = await writer.append({
    title: 'Agent executed: bash',
    at: new Date(),
    kind: 'tool',
    turn: 1,
    skipped: [],
    ignored: 0,
    gitChanged: false,
    written,
    removed: [],
  });
  process.stdout.write(`${entry.trailers.seq}\n`);
}
