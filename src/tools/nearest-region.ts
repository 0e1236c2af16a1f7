/** For a quote that is nowhere: the lines that come closest, so that the model can correct itself. */
import { escapeForTerminal } from '../base/terminal-text.ts';
import { cutLine } from './budget.ts';

const AROUND = 2;
const MOST_LINES = 20;
/** Comparing by pairs of letters is slow; the first so many lines will do. */
const MOST_COMPARED = 5000;

/** Numbered lines of the most similar place, or undefined when nothing is similar. */
export function showNearestRegion(text: string, old: string): string | undefined {
  const lines = text.split('\n');
  const quoted = old.split('\n').map((line) => line.trim());
  const first = bestWindow(lines, quoted) ?? closestLine(lines, quoted.find((line) => line !== '') ?? '');
  if (first === undefined) return undefined;
  const from = Math.max(0, first - AROUND);
  const to = Math.min(lines.length, first + Math.min(quoted.length, MOST_LINES) + AROUND);
  return lines
    .slice(from, to)
    .map((line, index) => `${from + index + 1}\t${cutLine(escapeForTerminal(line), 300)}`)
    .join('\n');
}

/** Where most of the quoted lines are in their places; undefined when none is. */
function bestWindow(lines: string[], quoted: string[]): number | undefined {
  const places = new Map<string, number[]>();
  quoted.forEach((line, index) => {
    const known = places.get(line) ?? [];
    // A line that repeats itself says little about where it belongs.
    if (line.length > 3 && known.length < 3) places.set(line, [...known, index]);
  });
  const scores = new Map<number, number>();
  lines.forEach((line, at) => {
    for (const index of places.get(line.trim()) ?? []) {
      const start = Math.max(0, at - index);
      scores.set(start, (scores.get(start) ?? 0) + 1);
    }
  });
  return [...scores].sort((a, b) => b[1] - a[1] || a[0] - b[0])[0]?.[0];
}

function closestLine(lines: string[], wanted: string): number | undefined {
  const pairs = pairsOf(wanted);
  let best: number | undefined;
  let bestScore = 0.5;
  lines.slice(0, MOST_COMPARED).forEach((line, index) => {
    const score = similarity(pairs, pairsOf(line.trim()));
    if (score > bestScore) {
      bestScore = score;
      best = index;
    }
  });
  return best;
}

function pairsOf(text: string): Set<string> {
  const pairs = new Set<string>();
  for (let at = 0; at + 1 < Math.min(text.length, 400); at++) pairs.add(text.slice(at, at + 2));
  return pairs;
}

/** Sørensen and Dice's coefficient of the two sets of letter pairs. */
function similarity(a: Set<string>, b: Set<string>): number {
  if (a.size === 0 || b.size === 0) return 0;
  let shared = 0;
  for (const pair of a) if (b.has(pair)) shared += 1;
  return (2 * shared) / (a.size + b.size);
}
