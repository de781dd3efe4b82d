import fc from 'fast-check';

const size = process.env['SPIRAL_LAWS'] ?? 'ci';
if (size !== 'ci' && size !== 'long') throw new Error(`Expected SPIRAL_LAWS to be ci or long, got ${size}.`);

// Shrinking a case that fails now and then, or slowly, takes longer than its test may: then Vitest would end it, and nobody
// would know the case. A property that is interrupted says seed and path, and the smallest case so far where one failed.
if (size === 'ci') fc.configureGlobal({ interruptAfterTimeLimit: 100_000, markInterruptAsFailure: true });

/**
 * How many cases a law test tries: `ci` by default, `long` with `SPIRAL_LAWS=long` (the proof runs).
 */
export function lawRuns(ci: number, long: number): number {
  return size === 'long' ? long : ci;
}
