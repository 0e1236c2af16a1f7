/** Saves ever longer decisions until it is killed; tells of each that was saved: `node saving-child.ts FOLDER`. */
import { writeSync } from 'node:fs';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { saveDecisions } from '../../../src/session/review-store.ts';

const folder = process.argv[2] as HostPath;
for (let count = 1; ; count++) {
  const decisions = Array.from({ length: count }, (_, at) => ({
    path: `file-${at}`,
    decision: 'accept' as const,
    comment: `comment ${at} `.repeat(20),
  }));
  saveDecisions(folder, { version: 1, decisions });
  writeSync(1, `${count}\n`);
}
