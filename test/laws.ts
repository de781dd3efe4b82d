import fc from 'fast-check';

const size = process.env['SPIRAL_LAWS'] ?? 'ci';
if (size !== 'ci' && size !== 'long') throw new Error(`Expected SPIRAL_LAWS to be ci or long, got ${size}.`);

// The small size draws the same cases each time, so that what fails tells of the change and not of luck; the long one looks
// for cases that nobody has drawn.
const seed = process.env['SPIRAL_SEED'] ?? (size === 'ci' ? '20261123' : 'random');
if (seed !== 'random' && !/^-?\d{1,9}$/.test(seed))
  throw new Error(`Expected SPIRAL_SEED to be 'random' or a whole number of at most nine digits, got ${seed}.`);

fc.configureGlobal({
  ...(seed === 'random' ? {} : { seed: Number(seed) }),
  // Shrinking a case that fails now and then, or slowly, takes longer than its test may: then Vitest would end it, and nobody
  // would know the case. A property that is interrupted says seed and path, and the smallest case so far where one failed.
  ...(size === 'ci' ? { interruptAfterTimeLimit: 100_000, markInterruptAsFailure: true } : {}),
});

/**
 * How many cases a law test tries: `ci` by default, `long` with `SPIRAL_LAWS=long` (the proof runs). Which ones is said by
 * `SPIRAL_SEED`, a number or `random`.
 */
export function lawRuns(ci: number, long: number): number {
  return size === 'long' ? long : ci;
}
