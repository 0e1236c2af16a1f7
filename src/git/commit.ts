/** Commit objects, as far as the ledger uses them: one tree, at most one parent, one identity, UTC. */
import { SafeCoderError } from '../base/errors.ts';

export interface Commit {
  tree: string;
  parent: string | undefined;
  /** Whole seconds. */
  at: Date;
  message: string;
}

const IDENTITY = 'Safe Coder <safe-coder@localhost>';
const PATTERN =
  /^tree ([0-9a-f]{40,64})\n(?:parent ([0-9a-f]{40,64})\n)?author [^\n]*> (\d{1,12}) [+-]\d{4}\ncommitter [^\n]*\n(?:gpgsig[^\n]*\n(?: [^\n]*\n)*)?\n/;

/** The bytes of a commit; parts of a second are dropped. */
export function encodeCommit(commit: Commit): Buffer {
  const seconds = Math.floor(commit.at.getTime() / 1000);
  const parent = commit.parent === undefined ? '' : `parent ${commit.parent}\n`;
  const who = `${IDENTITY} ${seconds} +0000`;
  return Buffer.from(
    `tree ${commit.tree}\n${parent}author ${who}\ncommitter ${who}\n\n${commit.message}`,
    'utf8',
  );
}

/** Reads a commit of the ledger's own making. Throws `ledger/damaged` for any other shape, as a merge. */
export function parseCommit(bytes: Buffer): Commit {
  const text = bytes.toString('utf8');
  const match = PATTERN.exec(text);
  if (match?.[1] === undefined) {
    throw new SafeCoderError(
      'ledger/damaged',
      'A commit in the ledger is not of the form Safe Coder writes.',
    );
  }
  return {
    tree: match[1],
    parent: match[2],
    at: new Date(Number(match[3]) * 1000),
    message: text.slice(match[0].length),
  };
}
