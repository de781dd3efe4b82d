/**
 * Joins pieces, of `rows[i]` rows each and none of more than `granularity`, to ranges near that: the number of pieces up to
 * the end of each range. None where there is no row.
 *
 * A piece joins the range before it where that comes closer to `granularity` by it, so every range but the last has more than
 * half of it and at most one and a half; a last one of less than half joins the one before. So none has more than
 * twice the granularity.
 */
export function joinPieces(rows: readonly number[], granularity: number): number[] {
  const ends: number[] = [];
  let own = 0;
  let before = 0;
  for (const [at, next] of rows.entries()) {
    if (at > 0 && next > 2 * (granularity - own)) {
      ends.push(at);
      [before, own] = [own, 0];
    }
    own += next;
  }
  if (ends.length === 0) return own === 0 ? [] : [rows.length];
  const joinsLast = own < granularity / 2 && before + own <= 2 * granularity;
  if (joinsLast) ends.pop();
  ends.push(rows.length);
  return ends;
}
