import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createRedactor, quoteLine } from '../../../src/providers/redact.ts';

it('leaves no secret in any text, in none of its usual spellings', () => {
  const secret = fc.string({ minLength: 6, maxLength: 40, unit: 'grapheme' });
  fc.assert(
    fc.property(secret, fc.string(), fc.string(), (key, before, after) => {
      // A secret that is part of the mark itself can't be told from it.
      fc.pre(!'[redacted]'.includes(key));
      for (const form of [
        key,
        encodeURIComponent(key),
        Buffer.from(key).toString('base64'),
        JSON.stringify(key),
      ]) {
        const text = createRedactor([key])(`${before}${form}${after}`);
        expect(text).toContain('[redacted]');
      }
      expect(createRedactor([key])(`x${key}y`).replaceAll('[redacted]', '')).not.toContain(key);
    }),
  );
});

it('takes out a secret that contains another one whole', () => {
  expect(createRedactor(['secret', 'secret-and-more'])('a secret-and-more b')).toBe('a [redacted] b');
});

it('does not mangle text for the placeholder keys of local servers', () => {
  expect(createRedactor(['x', 'none', undefined])('an x and none')).toBe('an x and none');
});

it('quotes strangers on one line without control characters', () => {
  expect(quoteLine('a\u001b[31m\r\nb\u202ec')).toBe('a [31m b c');
  expect(quoteLine('x'.repeat(1000))).toHaveLength(401);
});
