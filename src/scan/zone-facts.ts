import type { ZoneFacts } from '../expr/may-match.js';
import type { Bound, Zone } from '../format/zone-map.js';
import type { OpenedFile } from './set-files.js';

/**
 * Rows that facts are told for. How many there really are is not known of parts of record batches, only whether none, some
 * or all of them may be null.
 */
export const factRows = 2;

/** What is known of a column without any cell. */
export const nothingThere: ZoneFacts = { nulls: factRows, min: null, max: null };

/** What is known of the rows of record batch `batch` of `file`, and so of any part of them: by column number. */
export function batchFacts({ file, numbers, columns }: OpenedFile, batch: number): [id: number, facts: ZoneFacts][] {
  const { rows } = file.index.batches[batch]!;
  return columns.map(({ id }, at) => {
    const zone = file.index.zones[numbers[at]!]![batch]!;
    return [id, { ...zone, nulls: zone.nulls === 0 ? 0 : zone.nulls >= rows ? factRows : 1 }];
  });
}

/** What is known of cells of which each is one of those that `a` or `b` are about, or one that is not there. */
export function eitherFacts(a: ZoneFacts | undefined, b: ZoneFacts): ZoneFacts {
  const some = [a, b].filter((facts): facts is ZoneFacts => facts !== undefined && facts.nulls < factRows);
  if (some.length === 0) return nothingThere;
  const nan = some.some((facts) => facts.nan === true);
  // Without any bound nothing is known of a float's values, unless they are all NaN.
  const known = some.filter((facts) => !(isAllNaN(facts) && some.length > 1));
  const bounds = {
    min: extreme(
      known.map(({ min }) => min),
      -1,
    ),
    max: extreme(
      known.map(({ max }) => max),
      1,
    ),
  };
  return nan ? { nulls: 1, ...bounds, nan } : { nulls: 1, ...bounds };
}

function isAllNaN({ min, max, nan }: Pick<Zone, 'min' | 'max' | 'nan'>): boolean {
  return nan === true && min === null && max === null;
}

/** The lowest or highest of `bounds`; null where any of them is not known. */
function extreme(bounds: readonly Bound[], sign: 1 | -1): Bound {
  let found: Bound | undefined;
  for (const bound of bounds) {
    if (bound === null) return null;
    if (found === undefined || found === null || sign * compared(bound, found) > 0) found = bound;
  }
  return found ?? null;
}

function compared(a: NonNullable<Bound>, b: NonNullable<Bound>): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  return a < b ? -1 : a > b ? 1 : 0;
}
