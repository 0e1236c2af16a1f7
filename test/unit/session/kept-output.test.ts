import { describe, expect, it } from 'vitest';
import { KeptOutput } from '../../../src/session/kept-output.ts';

function keep(text: string, chunkBytes: number): string {
  const kept = new KeptOutput();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) kept.add(bytes.subarray(at, at + chunkBytes));
  return kept.toString();
}

describe('kept output', () => {
  it.each([1, 7, 1000, 100_000])('is all of a short output that came in chunks of %i bytes', (size) => {
    for (const text of ['', 'ä', 'line\n'.repeat(8000), 'x'.repeat(64 << 10)])
      expect(keep(text, size)).toBe(text);
  });

  it.each([999, 32 << 10, 1 << 20])(
    'is both ends of a long one, and says how much is not there: %i',
    (size) => {
      const text = `first${'-'.repeat(3 << 20)}last`;
      const kept = keep(text, size);
      expect(kept.length).toBeLessThan((64 << 10) + 100);
      const left = text.length - (64 << 10);
      expect(kept).toBe(
        `${text.slice(0, 32 << 10)}\n… ${left} bytes are left out here …\n${text.slice(-(32 << 10))}`,
      );
    },
  );
});
