import { expect, it } from 'vitest';
import { decodePath, type RelPath } from '../../../src/base/path-bytes.ts';
import { formatPatch, type PatchSide, quoteName } from '../../../src/diff/patch.ts';

const OID = { old: '1'.repeat(40), now: '2'.repeat(40) };

function side(path: string, text: string, oid: string, mode: PatchSide['mode'] = '100644'): PatchSide {
  return { path: path as RelPath, mode, oid, bytes: Buffer.from(text) };
}

it('writes a modified file as git does, with a tab after a name with spaces', () => {
  const patch = formatPatch([
    { before: side('a file', 'one\ntwo\n', OID.old), after: side('a file', 'one\n2\n', OID.now) },
  ]);
  expect(patch.toString()).toBe(
    [
      'diff --git a/a file b/a file',
      `index ${OID.old}..${OID.now} 100644`,
      '--- a/a file\t',
      '+++ b/a file\t',
      '@@ -1,2 +1,2 @@',
      ' one',
      '-two',
      '+2',
      '',
    ].join('\n'),
  );
});

it('writes a file that becomes a symlink as a deletion and an addition', () => {
  const patch = formatPatch([
    { before: side('x', 'text\n', OID.old), after: side('x', 'target', OID.now, '120000') },
  ]).toString();
  expect(patch).toContain('deleted file mode 100644');
  expect(patch).toContain('new file mode 120000');
  expect(patch).toContain('+target\n\\ No newline at end of file\n');
});

it('says nothing about a file that did not change', () => {
  const same = side('x', 'text\n', OID.old);
  expect(formatPatch([{ before: same, after: same }]).length).toBe(0);
});

it('quotes names that could break a line or hide in it', () => {
  expect(quoteName('plain/name.ts')).toBe('plain/name.ts');
  expect(quoteName('a\nb')).toBe('"a\\012b"');
  expect(quoteName('say "x"\\')).toBe('"say \\"x\\"\\\\"');
  expect(quoteName('é')).toBe('"\\303\\251"');
  expect(quoteName(decodePath(Buffer.from([0xff])))).toBe('"\\377"');
});
