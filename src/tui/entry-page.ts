/** One entry in full, as text for people. */
import { showPath } from '../base/path-bytes.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';
import { showDuration } from '../config/quantities.ts';
import { describeStep, outputTitle, type TimelineStep } from '../session/timeline.ts';
import { toOneLine } from './cut-text.ts';
import type { Style } from './style.ts';

const LABEL_WIDTH = 10;

/** Its facts, the prompt, what was asked for and what came of it; the changes are not part of it. */
export function formatEntryPage(step: TimelineStep, style: Style): string {
  const { entry } = step;
  const head = `#${entry.trailers.seq} ${entry.id}\n${style.bold(toOneLine(describeStep(step)))}\n`;
  return [
    head,
    ...factsOf(step).map(([name, value]) => fact(name, value, style)),
    ...entry.trailers.skipped.map(({ path, reason, detail }) =>
      fact('skipped', `${showPath(path)}: ${reason}${detail ? ` (${detail})` : ''}`, style),
    ),
    ...(step.turn && step.turn.prompt !== '' ? block('Prompt', step.turn.prompt, style) : []),
    ...inputBlocks(step.input, style),
    ...(step.output === undefined ? [] : block(outputTitle(entry), step.output, style)),
  ].join('');
}

function factsOf({ entry, target }: TimelineStep): [string, string][] {
  const { trailers } = entry;
  const { turn, call, exitCode, ok, durationMs, model, isolation, proof, ignored, gitChanged } = trailers;
  const facts: [string, string | undefined][] = [
    ['title', entry.title],
    ['at', entry.at.toISOString()],
    ['turn', turn > 0 ? String(turn) : undefined],
    ['call', call],
    ['exit', exitCode?.toString()],
    ['ok', ok === undefined ? undefined : ok ? 'yes' : 'no'],
    ['took', durationMs === undefined ? undefined : showDuration(durationMs)],
    ['model', model],
    ['label', trailers.label],
    ['back to', target ? `#${target.trailers.seq} ${target.id}` : trailers.to],
    ['scope', trailers.scope],
    ['origin', trailers.origin],
    ['isolation', isolation],
    ['proof', proof],
    ['network', trailers.egress?.join(', ')],
    ['ignored', ignored > 0 ? `${ignored} files` : undefined],
    ['.git', gitChanged ? 'changed in the guest; never applied' : undefined],
  ];
  return facts.filter((each): each is [string, string] => each[1] !== undefined);
}

function fact(name: string, value: string, style: Style): string {
  return `${style.dim(name.padStart(LABEL_WIDTH))}  ${toOneLine(value)}\n`;
}

function inputBlocks(input: unknown, style: Style): string[] {
  if (typeof input !== 'object' || input === null) return [];
  return Object.entries(input).flatMap(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
    return block(name, text, style);
  });
}

/** A text under a heading, each of its lines set in. */
function block(name: string, text: string, style: Style): string[] {
  const lines = escapeForTerminal(text.replace(/\r\n/g, '\n').replace(/\n$/, '')).split('\n');
  return [
    `\n${style.cyan(toOneLine(name))}\n`,
    ...lines.map((line) => `  ${line}`.trimEnd()).map((l) => `${l}\n`),
  ];
}
