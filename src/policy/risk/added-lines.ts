/** What a text gains: the lines that its new side has and its old one hasn't, or has fewer times. */
import { isAscii } from 'node:buffer';

/** Sizes of what is compared at once: most of two versions is the same, and most files are small. */
const STEPS = [8192, 512];
const LF = 0x0a;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * The added lines of a text, joined by line feeds. A line that only changed its place or its line ending is not added. What is
 * no UTF-8 becomes U+FFFD; a byte order mark at the beginning of the file, which is how some editors save, is left out.
 */
export function addedLines(before: Uint8Array | undefined, after: Uint8Array): string {
  if (before === undefined || before.length === 0) return withoutMark(decode(after));
  const old = Buffer.from(before.buffer, before.byteOffset, before.byteLength);
  const now = Buffer.from(after.buffer, after.byteOffset, after.byteLength);
  const start = commonStart(old, now);
  const end = commonEnd(old, now, start);
  const text = decode(now.subarray(start, now.length - end));
  const counts = new Map<string, number>();
  for (const line of lines(decode(old.subarray(start, old.length - end)))) {
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  const added: string[] = [];
  for (const line of lines(start === 0 ? withoutMark(text) : text)) {
    const left = counts.get(line) ?? 0;
    if (left === 0) added.push(line);
    else counts.set(line, left - 1);
  }
  return added.join('\n');
}

function lines(text: string): string[] {
  const all = text.split('\n');
  return text.includes('\r') ? all.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)) : all;
}

function decode(bytes: Uint8Array): string {
  if (isAscii(bytes)) {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  }
  return decoder.decode(bytes);
}

function withoutMark(text: string): string {
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** Length of the whole lines with which both begin. */
function commonStart(a: Buffer, b: Buffer): number {
  const most = Math.min(a.length, b.length);
  let at = 0;
  for (const step of STEPS) {
    while (at + step <= most && a.compare(b, at, at + step, at, at + step) === 0) at += step;
  }
  while (at < most && a[at] === b[at]) at += 1;
  if (at === a.length && at === b.length) return at;
  return at === 0 ? 0 : a.lastIndexOf(LF, at - 1) + 1;
}

/** Length of the whole lines with which both end, `from` on. */
function commonEnd(a: Buffer, b: Buffer, from: number): number {
  const most = Math.min(a.length, b.length) - from;
  let size = 0;
  for (const step of STEPS) {
    while (size + step <= most && sameTail(a, b, size, step)) size += step;
  }
  while (size < most && a[a.length - 1 - size] === b[b.length - 1 - size]) size += 1;
  if (size === 0) return 0;
  // The common bytes may begin amid a line: what precedes its line feed is not common.
  const first = a.indexOf(LF, a.length - size);
  return first < 0 ? 0 : a.length - first - 1;
}

function sameTail(a: Buffer, b: Buffer, size: number, step: number): boolean {
  const [aEnd, bEnd] = [a.length - size, b.length - size];
  return a.compare(b, bEnd - step, bEnd, aEnd - step, aEnd) === 0;
}
