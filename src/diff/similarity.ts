/** How much of two files is the same, by lines. */
import { splitLines } from './lines.ts';

/**
 * Bytes of lines that both have, over the size of the larger: 0 to 1, order of lines not counted. Answers 0 without looking
 * when the sizes alone rule out `least`.
 */
export function similarity(a: Buffer, b: Buffer, least: number): number {
  const larger = Math.max(a.length, b.length);
  if (larger === 0) return 1;
  if (Math.min(a.length, b.length) < larger * least) return 0;
  const counts = new Map<string, number>();
  for (const line of splitLines(a)) counts.set(line, (counts.get(line) ?? 0) + 1);
  let common = 0;
  for (const line of splitLines(b)) {
    const left = counts.get(line) ?? 0;
    if (left === 0) continue;
    counts.set(line, left - 1);
    common += line.length;
  }
  return common / larger;
}
