/**
 * How many cases a law test tries: `ci` by default, `long` with `SPIRAL_LAWS=long` (the proof runs).
 */
export function lawRuns(ci: number, long: number): number {
  const size = process.env['SPIRAL_LAWS'] ?? 'ci';
  if (size !== 'ci' && size !== 'long') throw new Error(`Expected SPIRAL_LAWS to be ci or long, got ${size}.`);
  return size === 'long' ? long : ci;
}
