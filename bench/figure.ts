/** A figure: ours against a named baseline of the same run. One JSON object a line. */

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

export interface FigureOptions {
  better: 'lower' | 'higher';
}

/** Prints `{what, ms, baseline, baselineMs, ratio}`. */
export function printFigure(
  what: string,
  ms: number,
  baseline: string,
  baselineMs: number,
  options: FigureOptions,
): void {
  const round = (value: number) => Math.round(value * 10) / 10;
  const ratio = Math.round((ms / baselineMs) * 1000) / 1000;
  process.stdout.write(
    `${JSON.stringify({ what, ms: round(ms), baseline, baselineMs: round(baselineMs), ratio, ...options })}\n`,
  );
}
