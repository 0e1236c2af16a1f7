/** Reads the first blob of the ledger's head by way of git, and prints its type and size. */

import type { HostPath } from '../../../src/base/path-bytes.ts';
import { CatFile } from '../../../src/git/cat-file.ts';
import { openLedger } from '../../../src/ledger/reader.ts';

const dir = (process.argv[2] ?? '') as HostPath;
await using reader = await openLedger(dir);
const [file] = (await reader.files((await reader.head()).tree)).values();
await using catFile = new CatFile({ gitDir: dir, maxBytes: 1000, timeoutMs: 20_000 });
const object = await catFile.read(file?.oid ?? '');
process.stdout.write(`${object?.type} ${object?.bytes.length}\n`);
