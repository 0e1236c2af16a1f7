/** The beginning and the end of a command's output, for who reads the session later. */

/** Of each end, in bytes. */
const END_BYTES = 32 << 10;

/** Keeps the first and the last {@link END_BYTES} of what it is given, whatever comes between. */
export class KeptOutput {
  readonly #head: Buffer[] = [];
  #headLength = 0;
  #tail: Buffer[] = [];
  #tailLength = 0;
  #total = 0;

  /** Takes a copy: chunks may be used again by who owns them. */
  add(chunk: Buffer): void {
    this.#total += chunk.length;
    const fits = Math.min(chunk.length, END_BYTES - this.#headLength);
    if (fits > 0) this.#head.push(Buffer.from(chunk.subarray(0, fits)));
    this.#headLength += fits;
    if (fits === chunk.length) return;
    // Of a chunk, no more than the last bytes can remain.
    const rest = Buffer.from(chunk.subarray(Math.max(fits, chunk.length - END_BYTES)));
    this.#tail.push(rest);
    this.#tailLength += rest.length;
    if (this.#tailLength > 4 * END_BYTES) this.#trim();
  }

  /** As text; what was left out between is named in a line of its own. */
  toString(): string {
    this.#trim();
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail);
    const left = this.#total - head.length - tail.length;
    if (left === 0) return Buffer.concat([head, tail]).toString();
    return `${head.toString()}\n… ${left} bytes are left out here …\n${tail.toString()}`;
  }

  #trim(): void {
    const last = Buffer.concat(this.#tail).subarray(-END_BYTES);
    this.#tail = [last];
    this.#tailLength = last.length;
  }
}
