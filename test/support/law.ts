/** Laws: properties that are tried on random cases, within a bounded time, and that say how often and from which seed. */
import fc from 'fast-check';

/** Multiplies runs and time of every law: `SAFE_CODER_LAWS=20` for a long evening. */
const FACTOR = Math.max(1, Number(process.env.SAFE_CODER_LAWS ?? 1));
/** Repeats a run: the seed that a failure, or any run, printed. */
const SEED = process.env.SAFE_CODER_LAWS_SEED;

export interface LawOptions {
  /** Cases to try. */
  runs: number;
  /** When to stop trying, and shrinking; at least one case is tried. */
  limitMs: number;
}

/** The most time that vitest must give a law with this limit. */
export function timeFor({ limitMs }: LawOptions): number {
  return limitMs * FACTOR + 60_000;
}

/** Throws with the smallest case found when the law does not hold. */
export async function hold<Case>(
  name: string,
  property: fc.IAsyncProperty<Case>,
  options: LawOptions,
): Promise<void> {
  const seed = SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(SEED);
  const found = await fc.check(property, {
    seed,
    numRuns: options.runs * FACTOR,
    interruptAfterTimeLimit: options.limitMs * FACTOR,
    markInterruptAsFailure: false,
  });
  console.log(`law: ${name}: ${found.numRuns} cases, seed ${seed}`);
  if (found.failed) throw new Error(fc.defaultReportMessage(found), { cause: found.errorInstance });
  if (found.numRuns === 0) throw new Error('No case was tried within the time limit.');
}
