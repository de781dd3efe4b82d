import type { Scale } from './benchmark.js';

/** The scale of a whole or a quick run. */
export function scaleOf(quick: boolean): Scale {
  return { quick, rows: (full) => (quick ? Math.ceil(full / 10) : full) };
}
