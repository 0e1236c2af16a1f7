import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EntryTrailers } from '../../../src/ledger/ledger.ts';
import { formatMessage, normalizeTitle, parseMessage } from '../../../src/ledger/message.ts';
import { decodeText, encodeText } from '../../../src/ledger/text-code.ts';

/** Any string at all, and those that try to be more than a value. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc
    .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 6 })
    .map((units) => String.fromCharCode(...units)),
  fc.constantFrom(
    'x\nSeq: 99',
    '\n\nKind: initial',
    'a\r\nOk: yes',
    '%',
    '%41',
    '%uD800',
    ' ',
    '',
    '\ud800',
    '\u2028Seq: 1',
    'a b',
  ),
);
const oid = fc
  .tuple(fc.bigInt({ min: 0n, max: 16n ** 40n - 1n }), fc.constantFrom(40, 64))
  .map(([number, length]) => number.toString(16).padStart(length, '0'));
const count = fc.nat({ max: 1_000_000 });

const trailers: fc.Arbitrary<EntryTrailers> = fc.record(
  {
    seq: count,
    turn: count,
    kind: fc.constantFrom<EntryTrailers['kind']>(
      'initial',
      'tool',
      'sweep',
      'snapshot',
      'rollback',
      'applied',
      'fork',
    ),
    call: hostile,
    tool: hostile,
    inputSha256: hostile,
    exitCode: fc.integer(),
    ok: fc.boolean(),
    durationMs: fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    model: hostile,
    shared: fc.array(hostile, { minLength: 1, maxLength: 3 }),
    egress: fc.array(hostile, { minLength: 1, maxLength: 3 }),
    job: hostile,
    label: hostile,
    to: oid,
    scope: fc.constantFrom<NonNullable<EntryTrailers['scope']>>('files', 'conversation', 'both'),
    origin: fc.tuple(fc.constantFrom('s-1', 'a.B_9', '0123456789ab'), oid).map((parts) => parts.join(':')),
    skipped: fc.array(
      fc.record({ path: hostile, reason: hostile, detail: hostile }, { requiredKeys: ['path', 'reason'] }),
      { maxLength: 4 },
    ),
    ignored: count,
    gitChanged: fc.boolean(),
    isolation: hostile,
    proof: hostile,
    signer: hostile,
  },
  { requiredKeys: ['seq', 'turn', 'kind', 'skipped', 'ignored', 'gitChanged'] },
);

const line = (trailer: string) =>
  `T\n\nSeq: 2\nKind: rollback\nTurn: 0\n${trailer}\nIgnored: 0\nGit-Changed: no\n`;

describe('a message', () => {
  it('gives back every trailer exactly, whatever tools, models and file names put into it', () => {
    fc.assert(
      fc.property(hostile, trailers, (title, values) => {
        const message = parseMessage(formatMessage({ title, trailers: values, skippedList: undefined }));
        expect(message).toEqual({ title: normalizeTitle(title), trailers: values, skippedList: undefined });
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps the titles of its own making as they are', () => {
    for (const title of [
      'Agent executed: bash',
      '🔒 Snapshot: before refactoring',
      'Initial snapshot - Safe Coder VM',
    ]) {
      expect(normalizeTitle(title)).toBe(title);
    }
  });

  it('has a title of one line that can carry no trailer', () => {
    expect(normalizeTitle('Agent executed: x\n\nSeq: 1')).toBe('Agent executed: x Seq: 1');
    expect(normalizeTitle(' \u0085\u2029\n')).toBe('(untitled)');
    expect([...normalizeTitle('é'.repeat(10_000))].length).toBe(500);
  });

  it.each([
    ['no title', '\n\nSeq: 1\n'],
    ['an unknown trailer', 'T\n\nSeq: 1\nKind: tool\nTurn: 0\nIgnored: 0\nGit-Changed: no\nNew: 1\n'],
    ['a trailer twice', 'T\n\nSeq: 1\nSeq: 2\nKind: tool\nTurn: 0\nIgnored: 0\nGit-Changed: no\n'],
    ['an unknown kind', 'T\n\nSeq: 1\nKind: other\nTurn: 0\nIgnored: 0\nGit-Changed: no\n'],
    ['a missing number', 'T\n\nKind: tool\nTurn: 0\nIgnored: 0\nGit-Changed: no\n'],
    ['a negative number', 'T\n\nSeq: -1\nKind: tool\nTurn: 0\nIgnored: 0\nGit-Changed: no\n'],
    ['a byte that is not coded', 'T\n\nSeq: 1\nKind: tool\nTurn: 0\nCall: é\nIgnored: 0\nGit-Changed: no\n'],
    ['an entry to go back to that is none', line('To: HEAD')],
    ['an unknown scope', line('Scope: everything')],
    ['an origin without an entry', line('Origin: 2026-01-01-a')],
    ['an origin outside the sessions', line(`Origin: ../x:${'a'.repeat(40)}`)],
    ['a label twice', line('Label: a\nLabel: b')],
    ['a broken code', 'T\n\nSeq: 1\nKind: tool\nTurn: 0\nCall: %C3\nIgnored: 0\nGit-Changed: no\n'],
  ])('is refused with %s', (_, text) => {
    expect(() => parseMessage(text)).toThrow(/can't be read/);
  });
});

describe('coded text', () => {
  it('is printable ASCII and decodes to the same string', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const coded = encodeText(text, ' ');
        return /^[\x21-\x7e]*$/.test(coded) && decodeText(coded) === text;
      }),
      { numRuns: 2000 },
    );
  });
});
