/**
 * A folder for the tools' own files in the guest, outside of the workspace: logs of long outputs, the shell's last
 * directory. It is in the guest's own temporary folder, so it goes when that goes.
 */
import { posix } from 'node:path';
import { isSafeCoderError } from '../base/errors.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { LIMITS } from './limits.ts';
import { waitFor } from './wait-for.ts';
import { canonicalWorkspace, isWithin } from './workspace-path.ts';

export interface Scratch {
  /** Canonical absolute path of plain characters, so that it can stand in a script without quotes. */
  folder: string;
  /** False when it could not be made (a full disk, no shell): nothing can be kept there for now. */
  isReady: boolean;
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the shell's
const MAKE = 'umask 077; d="${TMPDIR:-/tmp}/$1"; mkdir -p "$d/out" && cd "$d" && : >|cwd && pwd -P';
const MAX_ANSWER_BYTES = 1024;

/** Makes the folder, and asks the guest where. What it answers is only used when it is a place that makes sense. */
export async function openScratch(sandbox: Sandbox, signal: AbortSignal): Promise<Scratch> {
  const name = `safe-coder-${sandbox.id.replace(/[^A-Za-z0-9_-]/g, '').slice(0, 64)}`;
  const fallback = { folder: `/tmp/${name}`, isReady: false };
  const answer: Buffer[] = [];
  let bytes = 0;
  try {
    const child = await sandbox.exec(
      {
        argv: ['/bin/sh', '-c', MAKE, 'sh', name],
        cwd: '/',
        onOutput: (chunk, channel) => {
          bytes += chunk.length;
          if (channel === 'out' && bytes <= MAX_ANSWER_BYTES) answer.push(Buffer.from(chunk));
        },
      },
      signal,
    );
    // A guest's shell may hang, by malice or by a mistake of the agent's.
    if ((await waitFor(child.ended, LIMITS.killDeadlineMs, signal)) !== 'settled') child.kill();
    if ((await child.ended).exitCode !== 0) return fallback;
  } catch (error) {
    if (isSafeCoderError(error, 'guest/failed')) return fallback;
    throw error;
  }
  const folder = Buffer.concat(answer).toString('latin1').replace(/\n$/, '');
  const isPlain = /^(?:\/[A-Za-z0-9_.@+-]+)+$/.test(folder) && posix.normalize(folder) === folder;
  if (!isPlain || isWithin(await canonicalWorkspace(sandbox), folder)) return fallback;
  return { folder, isReady: true };
}

/** Removes the folder. Never fails but by a bug: where it can't be removed, the guest is going away and its files with it. */
export async function removeScratch(sandbox: Sandbox, scratch: Scratch): Promise<void> {
  try {
    await sandbox.remove(scratch.folder, { recursive: true });
  } catch (error) {
    if (!isSafeCoderError(error)) throw error;
  }
}
