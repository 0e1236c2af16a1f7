/** Claim: a session's page runs nothing and loads nothing, whatever the names, texts and differences in it. */
import { describe, expect, it } from 'vitest';
import type { ChangeSummary } from '../../src/base/events.ts';
import { element, text } from '../../src/headless/html.ts';
import { formatReport, type Report } from '../../src/headless/report.ts';
import type { Entry } from '../../src/ledger/ledger.ts';
import type { TimelineItem } from '../../src/session/timeline.ts';

const HOSTILE = [
  '<script>alert(1)</script>',
  '</pre></details></style></title></head><script src=//evil></script>',
  '" onmouseover="alert(1)',
  "' autofocus onfocus='alert(1)",
  '<img src=x onerror=alert(1)>',
  '<svg/onload=alert(1)>',
  '<a href="javascript:alert(1)">x</a>',
  '<!--',
  ']]>',
  '<![CDATA[',
  '&lt;script&gt;',
  '&#60;script&#62;',
  '`$' + '{alert(1)}`',
  '<meta http-equiv=refresh content=0>',
  '<base href=//evil>',
  '<style>*{background:url(//evil)}</style>',
  '\u202e\u2066tpircs\u2069',
  'zero\u200bwidth',
  '\x00\x1b[31m\x9b',
  '\ud800',
  '\u2028\u2029',
  '<\u0338script>',
].join('\n');

/** Every tag that the page may hold, as it is written; all else that begins with `<` came from data. */
const TAGS = new RegExp(
  [
    '<!DOCTYPE html>',
    '<html lang="en">',
    '<meta charset="utf-8">',
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]{44}'; base-uri 'none'; form-action 'none'\">",
    '<meta name="referrer" content="no-referrer">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '</?(?:head|title|style|body)>',
    '</html>',
    '</?(?:header|footer|h[123]|p|dl|dt|dd|ul|li|pre|code|span|div|details|summary)>',
    '<(?:span|div|p|pre|summary|footer) class="(?:dim|add|del|hunk|good|bad|risk|prompt|reply)">',
    '<h2 id="turn-\\d+">',
    '<details id="entry-\\d+">',
  ].join('|'),
  'g',
);

function entry(seq: number): Entry {
  return {
    id: 'e'.repeat(40),
    parent: undefined,
    tree: 't'.repeat(40),
    title: HOSTILE,
    at: new Date(0),
    trailers: {
      seq,
      turn: 1,
      kind: 'tool',
      tool: HOSTILE,
      call: HOSTILE,
      model: HOSTILE,
      ok: false,
      isolation: HOSTILE,
      proof: HOSTILE,
      skipped: [{ path: HOSTILE, reason: HOSTILE, detail: HOSTILE }],
      ignored: 0,
      gitChanged: true,
    },
  };
}

const change = {
  path: HOSTILE,
  from: HOSTILE,
  change: 'renamed',
  added: 1,
  removed: 1,
  risk: [HOSTILE],
} as const;
const changes = [{ ...change, risk: [...change.risk] }] as ChangeSummary[];

async function page(isOk: boolean): Promise<string> {
  const turn = { turn: 1, at: '', prompt: HOSTILE, reason: HOSTILE };
  const kinds = ['tool', 'snapshot', 'rollback', 'fork', 'applied'] as const;
  const steps = kinds.map((kind, index): TimelineItem => {
    const base = entry(index + 1);
    const trailers = { ...base.trailers, kind, label: HOSTILE, to: HOSTILE, origin: HOSTILE };
    const input = { command: HOSTILE, [HOSTILE]: { nested: HOSTILE } };
    return { type: 'step', step: { entry: { ...base, trailers }, turn, input, output: HOSTILE } };
  });
  const report: Report = {
    record: {
      version: 1,
      id: HOSTILE,
      project: HOSTILE,
      createdAt: HOSTILE,
      endedAt: HOSTILE,
      face: HOSTILE,
      model: HOSTILE,
      title: HOSTILE,
      reason: HOSTILE,
    },
    at: new Date(0),
    items: [{ type: 'turn', turn }, { type: 'reply', text: HOSTILE }, ...steps],
    changes,
    verdict: {
      ok: isOk,
      entries: 1,
      faults: isOk ? [] : [HOSTILE],
      found: [],
      signatures: { state: 'valid', signer: HOSTILE },
    },
    stepReport: async () => ({ changes, patch: `+${HOSTILE}\n-${HOSTILE}\n@@ ${HOSTILE}\n${HOSTILE}` }),
  };
  let html = '';
  for await (const piece of formatReport(report)) html += piece;
  return html;
}

describe('the page of a session', () => {
  it.each([true, false])(
    'holds no element and no attribute that came from data (sound ledger: %s)',
    async (isOk) => {
      const html = await page(isOk);
      const style = /<style>[^<]*<\/style>/.exec(html)?.[0] ?? '';
      expect(style).not.toBe('');
      // In the style nothing is from data; outside of it, what is left without our tags holds no markup at all.
      const rest = html.replace(style, '').replace(TAGS, '');
      expect(rest).not.toMatch(/[<>"'`]/);
      expect(rest.replace(/&(?:amp|lt|gt|quot|#39|#96);/g, '')).not.toContain('&');
      // The texts are there, inert.
      expect(rest).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
    },
  );

  it('asks for nothing: no address, no script, no event', async () => {
    const html = await page(true);
    expect(html.match(TAGS)?.join('')).not.toMatch(/src=|href=|\son\w+=|<script|<iframe|<link/i);
    expect(html).toContain("default-src 'none'");
    expect(html.match(/<style>([^<]*)<\/style>/)?.[1]).not.toMatch(/url\(|@import|expression/);
  });

  it('allows its own style by the digest of exactly that style', async () => {
    const html = await page(true);
    const { createHash } = await import('node:crypto');
    const style = html.match(/<style>([^<]*)<\/style>/)?.[1] ?? '';
    expect(html).toContain(`'sha256-${createHash('sha256').update(style).digest('base64')}'`);
  });

  it('shows what an eye would miss', async () => {
    const html = await page(true);
    for (const shown of ['&lt;U+202E&gt;', '&lt;U+200B&gt;', '\\x00\\x1b[31m']) expect(html).toContain(shown);
    expect(html).not.toMatch(/[\u202a-\u202e\u2066-\u2069\u200b\u2028\x00\x1b\x9b]/);
  });

  it('bounds what one call can put on it', async () => {
    const huge = `${'x'.repeat(3_000_000)}`;
    const base = entry(1);
    const report: Report = {
      record: { version: 1, id: 'a', project: 'p', createdAt: '', face: 'run', title: 't' },
      at: new Date(0),
      items: [{ type: 'step', step: { entry: base, input: { command: huge }, output: huge } }],
      changes: [],
      verdict: { ok: true, entries: 1, faults: [], found: [], signatures: { state: 'none' } },
      stepReport: async () => ({ changes: [], patch: '' }),
    };
    let size = 0;
    for await (const piece of formatReport(report)) size += piece.length;
    expect(size).toBeLessThan(100_000);
  });

  it('can be given no attribute but words of its own', () => {
    expect(() => element('span', { class: 'x" onclick="y' })).toThrow(TypeError);
    expect(() => element('span', { 'on click': 'x' })).toThrow(TypeError);
    expect(element('span', { class: 'dim' }, text('<'))).toBe('<span class="dim">&lt;</span>');
  });
});
