import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../src/base/path-bytes.ts';
import type { Change } from '../../src/diff/change-set.ts';
import { planFromDecisions } from '../../src/review/plan.ts';
import { reviewItems } from '../../src/review/review-item.ts';
import { decideAll } from '../../src/review/select.ts';

const blobs = new Map<string, Buffer>();

function added(path: string, text = 'x\n', mode: '100644' | '100755' | '120000' = '100644'): Change {
  const bytes = Buffer.from(text);
  const oid = createHash('sha1').update(`${path}${text}`).digest('hex');
  blobs.set(oid, bytes);
  return { path: path as RelPath, kind: 'added', after: { mode, oid } };
}

/** What a guest would like to slip into an unattended apply (S33). */
const RUNS_LATER = [
  added('.husky/pre-commit'),
  added('packages/app/package.json', '{"scripts":{"postinstall":"evil"}}'),
  added('.VSCode/Tasks.JSON'),
  added('.github/workflows/release.yml'),
  added('.envrc'),
  added('deep/down/Makefile'),
  added('vite.config.ts'),
  added('CLAUDE.md'),
  added('.mcp.json'),
  added('tool', '#!/bin/sh\n', '100755'),
  added('link', 'src', '120000'),
  added('lib/addon.node', '\x7fELF\0'),
  added('src/trojan.ts', 'if (user !== "admin\u202e\u2066// check") {}\n'),
  added('src/hidden.ts', 'const x\u200b = 1;\n'),
  added('src/lookalike.ts', 'const pass\u0430word = 1;\n'),
  added('src/min.ts', `${'a'.repeat(2500)}\n`),
];
const HARMLESS = [added('src/main.ts', 'const a = 1;\n'), added('README.md', '# Title\n')];

async function accepted(mode: 'safe' | 'all'): Promise<string[]> {
  const changes = { base: 'b', final: 'f', changes: [...RUNS_LATER, ...HARMLESS] };
  const readBlob = async (oid: string) => blobs.get(oid) ?? Buffer.alloc(0);
  const items = await reviewItems(changes, { readBlob });
  const plan = await planFromDecisions(items, decideAll(items, mode), readBlob);
  return plan.items.map(({ path }) => path);
}

describe('an unattended apply of what is safe takes nothing that runs or steers later', () => {
  it('among everything that a guest may try (S33)', async () => {
    expect(await accepted('all'), 'taking all is the naive way').toHaveLength(
      RUNS_LATER.length + HARMLESS.length,
    );
    expect(await accepted('safe')).toEqual(HARMLESS.map(({ path }) => path));
  });
});
