/** A session as one page of HTML that needs nothing else: no script, nothing from elsewhere, everything in it inert. */
import { createHash } from 'node:crypto';
import type { ChangeSummary } from '../base/events.ts';
import { showPath } from '../base/path-bytes.ts';
import { showDuration } from '../config/quantities.ts';
import type { Verdict } from '../ledger/verify.ts';
import type { SessionRecord } from '../session/store.ts';
import { describeStep, outputTitle, type TimelineItem, type TimelineStep } from '../session/timeline.ts';
import { element, type Html, join, text } from './html.ts';
import { REPORT_STYLE } from './report-style.ts';

/** The most characters shown of one input, result or reply, and the most lines of one diff. */
const MOST_CHARACTERS = 20_000;
const MOST_DIFF_LINES = 500;

export interface StepReport {
  changes: readonly ChangeSummary[];
  /** The patch as text. */
  patch: string;
}

export interface Report {
  record: SessionRecord;
  at: Date;
  items: readonly TimelineItem[];
  /** From the base to the newest entry. */
  changes: readonly ChangeSummary[];
  verdict: Verdict;
  /** What an entry changed. Asked for one after another. */
  stepReport(step: TimelineStep): Promise<StepReport>;
}

/** The page, piece by piece. */
export async function* formatReport(report: Report): AsyncGenerator<string> {
  yield head(report.record);
  yield overview(report);
  yield element('h2', {}, text('What happened'));
  for (const item of report.items) yield await formatItem(item, report);
  const made = text(`Made by Safe Coder on ${report.at.toISOString()} from the session's ledger.`);
  yield `${element('footer', { class: 'dim' }, element('p', {}, made))}</body></html>\n`;
}

function head(record: SessionRecord): string {
  const digest = createHash('sha256').update(REPORT_STYLE).digest('base64');
  const policy = `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'`;
  return [
    '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="referrer" content="no-referrer">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${text(`Safe Coder session ${record.id}`)}</title>`,
    `<style>${REPORT_STYLE}</style></head><body>\n`,
  ].join('');
}

function overview({ record, changes, verdict, items }: Report): Html {
  const steps = items.filter((item) => item.type === 'step').length;
  const facts: [string, string | undefined][] = [
    ['Project', record.project],
    ['Begun', record.createdAt],
    ['Ended', record.endedAt],
    ['Ended because', record.reason],
    ['Model', record.model],
    ['Isolation', record.isolation && `${record.isolation.level}, ${record.isolation.backend}`],
    ['Entries', String(steps)],
  ];
  return element(
    'header',
    {},
    element('h1', {}, text(`Session ${record.id}`)),
    element('p', {}, text(record.title)),
    definitions(facts),
    verification(verdict),
    element('h2', {}, text('What changed')),
    changeList(changes),
  );
}

function verification({ ok, entries, faults, signatures }: Verdict): Html {
  if (!ok) {
    const list = faults.slice(0, 50).map((fault) => element('li', {}, text(fault)));
    return element(
      'div',
      {},
      element('p', { class: 'bad' }, text('The ledger is damaged:')),
      element('ul', {}, ...list),
    );
  }
  const signed =
    signatures.state === 'none'
      ? ''
      : `; signed up to entry ${signatures.upTo ?? 0} with ${signatures.signer ?? 'a key'}`;
  const what = `Verified: all ${entries} entries are there and match their ids${signed}.`;
  return element('p', { class: 'good' }, text(what));
}

async function formatItem(item: TimelineItem, report: Report): Promise<Html> {
  if (item.type === 'reply') return element('div', { class: 'reply' }, text(cut(item.text)));
  if (item.type === 'step') return formatStep(item.step, await report.stepReport(item.step));
  const { turn, prompt } = item.turn;
  return join([
    element('h2', { id: `turn-${turn}` }, text(`Turn ${turn}`)),
    element('pre', { class: 'prompt' }, text(cut(prompt))),
  ]);
}

function formatStep(step: TimelineStep, { changes, patch }: StepReport): Html {
  const { entry, input, output } = step;
  const { seq, durationMs, exitCode, ok, model, skipped } = entry.trailers;
  const isFailure = ok === false || (exitCode ?? 0) !== 0;
  const notes = [
    durationMs === undefined ? '' : showDuration(durationMs),
    exitCode === undefined ? '' : `exit ${exitCode}`,
    changes.length === 0 ? '' : `${changes.length} changed`,
    changes.some((change) => change.risk.length > 0) ? 'look closer' : '',
  ].filter((note) => note !== '');
  const facts: [string, string | undefined][] = [
    ['Entry', entry.id],
    ['At', entry.at.toISOString()],
    ['Model', model],
    ['Isolation', entry.trailers.isolation],
    ['Proof', entry.trailers.proof],
    ...skipped
      .slice(0, 100)
      .map(({ path, reason }): [string, string] => ['Skipped', `${showPath(path)}: ${reason}`]),
    ['Skipped', skipped.length > 100 ? `and ${skipped.length - 100} more` : undefined],
  ];
  return element(
    'details',
    { id: `entry-${seq}` },
    element(
      'summary',
      isFailure ? { class: 'bad' } : {},
      element('code', {}, text(`#${seq} ${describeStep(step)}`)),
      element('span', { class: 'dim' }, text(notes.length === 0 ? '' : `  ${notes.join(' · ')}`)),
    ),
    definitions(facts),
    section('Input', input === undefined ? '' : showInput(input)),
    section(outputTitle(step.entry), output ?? ''),
    ...(changes.length === 0 ? [] : [element('h3', {}, text('Changes')), changeList(changes), diff(patch)]),
  );
}

function definitions(facts: readonly [string, string | undefined][]): Html {
  const pairs = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [element('dt', {}, text(name)), element('dd', {}, text(value))],
  );
  return element('dl', {}, ...pairs);
}

function section(name: string, value: string): Html {
  if (value === '') return join([]);
  return join([element('h3', {}, text(name)), element('pre', {}, text(cut(value)))]);
}

function changeList(changes: readonly ChangeSummary[]): Html {
  if (changes.length === 0) return element('p', { class: 'dim' }, text('No file.'));
  const items = changes.map(({ path, from, change, added, removed, binary, risk }) => {
    const name = from === undefined ? showPath(path) : `${showPath(from)} → ${showPath(path)}`;
    const counts = binary ? ' binary' : ` +${added ?? 0} -${removed ?? 0}`;
    const marks = risk.map((reason) => element('div', { class: 'risk' }, text(`! ${reason}`)));
    return element(
      'li',
      {},
      text(`${change} `),
      element('code', {}, text(name)),
      element('span', { class: 'dim' }, text(counts)),
      ...marks,
    );
  });
  return element('ul', {}, ...items);
}

function diff(patch: string): Html {
  const lines = patch.split('\n');
  const shown = lines.slice(0, MOST_DIFF_LINES).map((line) => {
    const safe = text(`${cut(line, 2000)}\n`);
    if (line.startsWith('@@')) return element('span', { class: 'hunk' }, safe);
    if (line.startsWith('+')) return element('span', { class: 'add' }, safe);
    return line.startsWith('-') ? element('span', { class: 'del' }, safe) : safe;
  });
  const more = lines.length - MOST_DIFF_LINES;
  const rest = more > 0 ? [element('span', { class: 'dim' }, text(`… ${more} more lines`))] : [];
  return element('pre', {}, ...shown, ...rest);
}

function showInput(input: unknown): string {
  if (typeof input !== 'object' || input === null) return JSON.stringify(input) ?? '';
  return Object.entries(input)
    .map(([name, value]) => `${name}: ${typeof value === 'string' ? value : JSON.stringify(value, null, 2)}`)
    .join('\n');
}

function cut(value: string, most = MOST_CHARACTERS): string {
  if (value.length <= most) return value;
  return `${value.slice(0, most)}\n… ${value.length - most} more characters`;
}
