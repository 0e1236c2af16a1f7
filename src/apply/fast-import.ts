/** A stream for `git fast-import`: blobs, then commits on one ref. Names are quoted, so that none can end its line. */
import type { RelPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import { quoteName } from '../diff/patch.ts';

const WHO = 'Safe Coder <safe-coder@localhost>';

export class FastImport {
  /** The ref that the last commit is at. */
  readonly ref: string;
  /** How many commits were begun. */
  commits = 0;
  readonly #start: string | undefined;
  readonly #parts: Buffer[] = [];
  readonly #marks = new Map<string, number>();

  /** The first commit's parent is `start`, if there is one. */
  constructor(ref: string, start: string | undefined) {
    this.ref = ref;
    this.#start = start;
  }

  hasBlob(oid: string): boolean {
    return this.#marks.has(oid);
  }

  /** Before the commit that needs it. */
  addBlob(oid: string, bytes: Buffer): void {
    const mark = this.#marks.size + 1;
    this.#marks.set(oid, mark);
    this.#line(`blob\nmark :${mark}`);
    this.#data(bytes);
  }

  beginCommit(message: string, at: Date): void {
    const who = `${WHO} ${Math.floor(at.getTime() / 1000)} +0000`;
    this.#line(`commit ${this.ref}\nauthor ${who}\ncommitter ${who}`);
    this.#data(Buffer.from(message.toWellFormed().replaceAll('\0', ''), 'utf8'));
    if (this.commits === 0 && this.#start !== undefined) this.#line(`from ${this.#start}`);
    this.commits += 1;
  }

  remove(path: RelPath): void {
    this.#line(`D ${quoteName(path)}`);
  }

  put(path: RelPath, { mode, oid }: FileState): void {
    this.#line(`M ${mode} :${this.#marks.get(oid)} ${quoteName(path)}`);
  }

  /** The whole stream. */
  finish(): Buffer {
    this.#line('\ndone');
    return Buffer.concat(this.#parts);
  }

  #line(text: string): void {
    this.#parts.push(Buffer.from(`${text}\n`, 'latin1'));
  }

  #data(bytes: Buffer): void {
    this.#line(`data ${bytes.length}`);
    this.#parts.push(bytes, Buffer.from('\n'));
  }
}
