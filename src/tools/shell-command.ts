/**
 * How a command line becomes an argument vector, and how the directory it ends in comes back. Output and standard error
 * are one stream, so the shell leaves its last directory in a file, from an EXIT trap: that survives `exit`,
 * failing commands and syntax errors; after `exec` the directory just stays what it was. The file is the guest's: what it says is
 * checked like everything else from there.
 */
import { decodePath } from '../base/path-bytes.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { guestErrno } from './guest-failure.ts';
import type { Scratch } from './scratch.ts';
import { canonicalWorkspace, isWithin } from './workspace-path.ts';

const MAX_FILE_BYTES = 4300;

/** `bash -c` (or sh) with the command as it is. */
export function plainCommand(shell: 'bash' | 'sh', command: string): string[] {
  return [shell, '-c', command, shell];
}

/**
 * The same, leaving the last directory behind, marked with the call. The command is an argument, never spliced into the
 * script; `shift` takes it out of the way, so that it sees no arguments, as with a plain `bash -c`.
 */
export function trackedCommand(
  scratch: Scratch,
  shell: 'bash' | 'sh',
  command: string,
  call: string,
): string[] {
  const report = `{ printf "%s\\n" ${mark(call)}; command pwd -P; } 2>/dev/null >|${folderFile(scratch)}`;
  return [shell, '-c', `trap '${report}' EXIT\neval "shift;$1"`, shell, command];
}

/** A call's name as it can stand in a script without quotes. */
function mark(call: string): string {
  return call.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'call';
}

function folderFile(scratch: Scratch): string {
  return `${scratch.folder}/cwd`;
}

/** Where the call's shell ended; undefined when it left no word, or none that makes sense. */
export async function readLastFolder(
  sandbox: Sandbox,
  scratch: Scratch,
  call: string,
): Promise<string | undefined> {
  let text: string;
  try {
    const { bytes } = await sandbox.read(folderFile(scratch), { maxBytes: MAX_FILE_BYTES });
    text = decodePath(bytes.subarray(0, MAX_FILE_BYTES));
  } catch (error) {
    if (guestErrno(error) === undefined) throw error;
    return undefined;
  }
  const prefix = `${mark(call)}\n`;
  if (!text.startsWith(prefix) || !text.endsWith('\n')) return undefined;
  const folder = text.slice(prefix.length, -1);
  return folder.startsWith('/') && !folder.includes('\0') && folder.length <= 4095 ? folder : undefined;
}

/** The canonical path when it is a directory inside the workspace, or undefined. */
export async function folderInWorkspace(sandbox: Sandbox, folder: string): Promise<string | undefined> {
  try {
    const { canonical, stat } = await sandbox.stat(folder);
    const root = await canonicalWorkspace(sandbox);
    return stat.kind === 'directory' && isWithin(root, canonical) ? canonical : undefined;
  } catch (error) {
    if (guestErrno(error) === undefined) throw error;
    return undefined;
  }
}
