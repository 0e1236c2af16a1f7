import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const src = fileURLToPath(new URL('../../src', import.meta.url));

/** From the ground up; a folder may import from floors below its own, and from itself. */
const FLOORS: readonly (readonly string[])[] = [
  ['base'],
  ['protocol', 'policy', 'diff'],
  ['guest', 'image', 'git', 'egress', 'providers', 'config'],
  ['backends'],
  ['sandbox', 'workspace', 'ledger'],
  ['tools', 'review'],
  ['agent', 'apply'],
  ['session'],
  ['tui', 'headless'],
  ['cli', 'index.ts'],
];

interface Import {
  file: string;
  from: string;
  to: string;
}

const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));

const roomOf = (path: string) => path.split('/')[0] ?? '';
const floorOf = (room: string) => FLOORS.findIndex((rooms) => rooms.includes(room));

function importsOf(file: string): Import[] {
  const text = readFileSync(join(src, file), 'utf8');
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1] ?? '');
  return found.map((target) => ({
    file,
    from: roomOf(file),
    to: roomOf(relative(src, resolve(src, dirname(file), target))),
  }));
}

const imports = files.flatMap(importsOf);

describe('floors', () => {
  it('are measured on the real tree', () => {
    expect(files.length).toBeGreaterThan(60);
    expect(imports.length).toBeGreaterThan(150);
  });

  it('know every folder of src', () => {
    const unknown = [...new Set(files.map(roomOf))].filter((room) => floorOf(room) === -1);
    expect(unknown).toEqual([]);
  });

  it('import down only, never sideways and never up', () => {
    const wrong = imports
      .filter(({ from, to }) => from !== to && to !== '..' && floorOf(to) >= floorOf(from))
      .map(({ file, to }) => `${file} imports ${to}`);
    expect(wrong).toEqual([]);
  });

  it('let only config and cli read the environment', () => {
    const readers = files
      .filter((file) => !['config', 'cli'].includes(roomOf(file)))
      .filter((file) => /process\.env\b/.test(readFileSync(join(src, file), 'utf8')));
    expect(readers).toEqual([]);
  });

  it('let only faces write to the terminal', () => {
    const writers = files
      .filter((file) => !['cli', 'tui', 'headless'].includes(roomOf(file)))
      .filter((file) =>
        /\bconsole\.(log|error|warn|info|debug|trace)\b|process\.std(out|err)/.test(
          readFileSync(join(src, file), 'utf8'),
        ),
      );
    expect(writers).toEqual([]);
  });

  it('keep policy, protocol and diff free of I/O', () => {
    const doing = files
      .filter((file) => ['policy', 'protocol', 'diff'].includes(roomOf(file)))
      .filter((file) =>
        /'node:(fs|net|child_process|http|os|dns)[/']/.test(
          // What only reads the text of an address does no I/O.
          readFileSync(join(src, file), 'utf8').replace(
            /^import \{ (?:BlockList|isIPv[46]|, )+ \} from 'node:net';$/m,
            '',
          ),
        ),
      );
    expect(doing).toEqual([]);
  });
});
