import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { renderRiskTables } from '../../../support/risk-table.ts';

it('docs/risk.md lists the rules as they are', () => {
  const page = readFileSync(fileURLToPath(new URL('../../../../docs/risk.md', import.meta.url)), 'utf8');
  const [, tables] = /<!-- rules -->\n\n([\s\S]*?)\n\n<!-- end of rules -->/.exec(page) ?? [];
  // The page is written from what this compares with: replace what is between the two marks.
  expect(tables).toBe(renderRiskTables());
});
