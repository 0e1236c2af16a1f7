/** Reads the first blob of the ledger's head by way of git, by a child kept open and by one run, and prints what it is. */

import type { HostPath } from '../../../src/base/path-bytes.ts';
import { CatFile } from '../../../src/git/cat-file.ts';
import { runGit } from '../../../src/git/git-program.ts';
import { openLedger } from '../../../src/ledger/reader.ts';

const dir = (process.argv[2] ?? '') as HostPath;
await using reader = await openLedger(dir);
const [file] = (await reader.files((await reader.head()).tree)).values();
await using catFile = new CatFile({ gitDir: dir, maxBytes: 1000, timeoutMs: 20_000 });
const object = await catFile.read(file?.oid ?? '');
const { stdout } = await runGit({ gitDir: dir, args: ['cat-file', '-t', file?.oid ?? ''] });
process.stdout.write(`${object?.type} ${object?.bytes.length} ${stdout.toString()}`);
