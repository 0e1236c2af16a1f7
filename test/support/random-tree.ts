/** Random trees and random changes to them, as fast-check arbitraries that shrink to few files with short names. */
import fc from 'fast-check';
import { decodePath } from '../../src/base/path-bytes.ts';

export type TreeFile =
  | { kind: 'file'; bytes: Buffer; executable: boolean }
  | { kind: 'symlink'; target: string };
/** Path to file. No path is below another that is a file. */
export type RandomTree = ReadonlyMap<string, TreeFile>;

const bytesName = (...bytes: number[]) => decodePath(Buffer.from(bytes));

/** What every file system and every rule takes; `a` first, for a failure shrinks to it. */
const TAME_NAMES = [
  'a',
  'b',
  'c.txt',
  'src',
  'lib',
  'main.ts',
  'two words',
  'ünï',
  'D',
  '100%',
  "it's",
  '$HOME',
];

/** Names that trip shells, terminals, git, other systems' file systems, or whoever takes a name for text. */
const HOSTILE_NAMES = [
  '-rf',
  '--output=x',
  'new\nline',
  'tab\there',
  'esc\u001b[31m',
  '\r',
  ' ',
  'trailing.',
  'trailing ',
  ' leading',
  'CON',
  'nul.txt',
  'a:b',
  'back\\slash',
  '"quoted"',
  '*',
  '?',
  ':(exclude)x',
  '%2Egit',
  '~',
  '#',
  'README',
  'readme',
  'caf\u00e9',
  'cafe\u0301',
  '\u202egpj.exe',
  'zero\u200bwidth',
  '.gitmodules',
  '.gitattributes',
  bytesName(0xff, 0xfe),
  bytesName(0x63, 0x61, 0x66, 0xe9),
  bytesName(0x80),
  'n'.repeat(255),
  'é'.repeat(127),
];

export type Names = 'tame' | 'hostile';

function nameOf(names: Names): fc.Arbitrary<string> {
  const tame = fc.constantFrom(...TAME_NAMES);
  if (names === 'tame') return tame;
  return fc.oneof(tame, fc.constantFrom(...HOSTILE_NAMES));
}

/** Mostly few components, now and then many. */
export function pathOf(names: Names): fc.Arbitrary<string> {
  const name = nameOf(names);
  const short = fc.array(name, { minLength: 1, maxLength: 4 });
  const deep = fc.array(fc.constantFrom('a', 'b', 'src'), { minLength: 10, maxLength: 20 });
  return fc
    .oneof({ weight: 15, arbitrary: short }, { weight: 1, arbitrary: deep })
    .map((parts) => parts.join('/'));
}

const LINES = [
  'one',
  'two',
  'three',
  'x = 1;',
  '',
  '  indented',
  '\xe9 no utf-8',
  '-- a/x',
  '++ b',
  'Ünïcödé',
];

/** Text with line ends of one kind or mixed, with or without the last, most lines distinct. */
const text: fc.Arbitrary<Buffer> = fc
  .record({
    lines: fc.array(fc.nat({ max: LINES.length - 1 }), { maxLength: 40 }),
    end: fc.constantFrom('\n', '\n', '\r\n', 'mixed'),
    isClosed: fc.boolean(),
  })
  .map(({ lines, end, isClosed }) => {
    const endOf = (at: number) => (end === 'mixed' ? (at % 3 === 0 ? '\r\n' : '\n') : end);
    const body = lines
      .map((line, at) => `${LINES[line]}${at % 4 === 0 ? ` ${at}` : ''}${endOf(at)}`)
      .join('');
    return Buffer.from(isClosed ? body : body.replace(/\r?\n$/, ''), 'latin1');
  });

const anyContent: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 8, arbitrary: text },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(Buffer.alloc(0), Buffer.from('\0binary\n'), Buffer.alloc(40_000, 'long\n')),
  },
);

/** Bytes that a report of a failure shows as a short text. */
const content = anyContent.map((bytes) =>
  Object.defineProperty(Buffer.from(bytes), fc.toStringMethod, {
    value: () => `${bytes.length} bytes ${JSON.stringify(bytes.subarray(0, 60).toString('latin1'))}`,
  }),
);

function targetOf(names: Names): fc.Arbitrary<string> {
  const inside = fc.constantFrom('a', 'src/a', './b', '../a');
  if (names === 'tame') return fc.constantFrom('a', 'src/a', './b');
  return fc.oneof(
    inside,
    fc.constantFrom('/etc/passwd', '../../out', 'no/such/file', '.git/hooks', '\n', bytesName(0xff)),
  );
}

function fileOf(names: Names): fc.Arbitrary<TreeFile> {
  const regular = fc.record({
    kind: fc.constant('file' as const),
    bytes: content,
    executable: fc.constantFrom(false, false, false, true),
  });
  const symlink = targetOf(names).map((target) => ({ kind: 'symlink' as const, target }));
  return fc.oneof({ weight: 7, arbitrary: regular }, { weight: 1, arbitrary: symlink });
}

/** A whole tree. Of files that can't be together the first one stays. */
export function treeOf(names: Names, maxFiles = 14): fc.Arbitrary<RandomTree> {
  return fc.array(fc.tuple(pathOf(names), fileOf(names)), { maxLength: maxFiles }).map((pairs) => {
    const tree = new Map<string, TreeFile>();
    for (const [path, file] of pairs) {
      const isTaken = [...tree.keys()].some((other) => isRelated(other, path));
      if (!isTaken) tree.set(path, file);
    }
    return tree;
  });
}

/** One change, with paths where it matters and picks (any number, taken modulo) where what is there decides. */
export type Operation =
  | { op: 'write'; path: string; file: TreeFile }
  | { op: 'rewrite'; pick: number; bytes: Buffer }
  | { op: 'edit'; pick: number; line: number; text: string }
  | { op: 'remove'; pick: number; depth: number }
  | { op: 'move'; pick: number; depth: number; to: string }
  | { op: 'chmod'; pick: number };

export function operationOf(names: Names): fc.Arbitrary<Operation> {
  const pick = fc.nat({ max: 1000 });
  const depth = fc.nat({ max: 3 });
  const path = pathOf(names);
  return fc.oneof(
    { weight: 4, arbitrary: fc.record({ op: fc.constant('write' as const), path, file: fileOf(names) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('rewrite' as const), pick, bytes: content }) },
    {
      weight: 5,
      arbitrary: fc.record({
        op: fc.constant('edit' as const),
        pick,
        line: pick,
        text: fc.constantFrom('changed', 'changed\nand more', ''),
      }),
    },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('remove' as const), pick, depth }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('move' as const), pick, depth, to: path }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('chmod' as const), pick }) },
  );
}

/** Whether one path is the other or lies in it. */
export function isRelated(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}
