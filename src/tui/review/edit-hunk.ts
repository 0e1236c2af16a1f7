/** A hunk in the person's own editor: handed over as a file of its new side, taken back as bytes. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isBinary } from '../../base/is-binary.ts';
import { joinLines } from '../../diff/lines.ts';
import { type Hunk, NO_NEWLINE } from '../../diff/text-diff.ts';

const MAX_BYTES = 8 << 20;

export type Edited =
  | { kind: 'edited'; bytes: Buffer }
  /** It came back as one of the sides. */
  | { kind: 'accept' }
  | { kind: 'reject' }
  | { kind: 'unchanged' }
  /** It can't be taken; `bytes` is what was typed, where there is something. */
  | { kind: 'refused'; reason: string; bytes?: Buffer };

/** The editor that the environment names; undefined when it names none. */
export function editorOf(environment: Record<string, string | undefined>): string | undefined {
  return environment.VISUAL || environment.EDITOR || undefined;
}

/** One side of a hunk, as bytes. */
export function sideOf(hunk: Hunk, side: 'old' | 'new'): Buffer {
  const lines: string[] = [];
  for (const [at, line] of hunk.lines.entries()) {
    if (line === NO_NEWLINE || line.startsWith(side === 'old' ? '+' : '-')) continue;
    lines.push(line.slice(1) + (hunk.lines[at + 1] === NO_NEWLINE ? '' : '\n'));
  }
  return joinLines(lines);
}

/**
 * Opens `text` in the editor (a command, as a shell reads it) and waits for it. The terminal is the editor's meanwhile. The
 * file and its folder are gone afterwards.
 */
export async function runEditor(
  editor: string,
  text: Buffer,
  name: string,
): Promise<{ bytes: Buffer; failure?: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'safe-coder-edit-'));
  try {
    const file = join(folder, fileName(name));
    writeFileSync(file, text, { mode: 0o600 });
    const failure = await wait(editor, file);
    return { bytes: readFileSync(file), ...(failure !== undefined && { failure }) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** An editor knows a language by the end of a name; nothing else of a guest's name comes along. */
function fileName(path: string): string {
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(path)?.[0] ?? '.txt';
  return `hunk${extension}`;
}

function wait(editor: string, file: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    // As git does it: the setting may hold options.
    const child = spawn('/bin/sh', ['-c', `${editor} "$@"`, editor, file], { stdio: 'inherit' });
    child.on('error', (error) => resolve(`the editor can't be started (${error.message})`));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(signal ? `the editor was ended by ${signal}` : `the editor ended with exit code ${code}`);
    });
  });
}

/** What an edit comes to. The bytes stand in the place of everything that the hunk's old side covers. */
export function judgeEdit(hunk: Hunk, given: Buffer, result: { bytes: Buffer; failure?: string }): Edited {
  const { bytes, failure } = result;
  if (failure !== undefined) return { kind: 'refused', reason: failure, bytes };
  if (bytes.length > MAX_BYTES) return { kind: 'refused', reason: 'it is larger than 8 MB' };
  if (isBinary(bytes)) return { kind: 'refused', reason: 'it is no text any more (it holds a NUL byte)' };
  const marker = /^(<{7}|>{7}|={7})( |$)/m.exec(bytes.toString('latin1'));
  if (marker !== null && !given.toString('latin1').includes(marker[0])) {
    return { kind: 'refused', reason: `it holds a conflict marker (${marker[1]})`, bytes };
  }
  if (bytes.equals(given)) return { kind: 'unchanged' };
  if (bytes.equals(sideOf(hunk, 'new'))) return { kind: 'accept' };
  if (bytes.equals(sideOf(hunk, 'old'))) return { kind: 'reject' };
  return { kind: 'edited', bytes };
}
