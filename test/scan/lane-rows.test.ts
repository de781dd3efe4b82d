import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { laneRows, placeRows } from '../../src/scan/placed-rows.js';
import { lanesOf } from '../../src/table/key-lane.js';
import { deletedKey, laneShift, type MergePiece, sameKey } from '../../src/table/key-merge.js';
import type { KeySet } from '../../src/table/key-run.js';
import type { Fragment } from '../../src/table/version.js';
import { newTable, spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';

/** A set of `rows` rows of write number `write`, with keys of its own. */
function setOf(write: number, rows: number, key: number): KeySet {
  const keys = { keyMin: Uint8Array.of(key), keyMax: Uint8Array.of(key) };
  return { layers: [{ fragment: { rows, version: write, ...keys } as Fragment, order: write, table: 0 }] };
}

/** The rows of two lanes, of two sets and of one, in the order of `turns`, with `flags` for some of them. */
function pieceOf(turns: readonly number[], flags: readonly number[]) {
  const counts = [0, 1].map((lane) => turns.filter((turn) => turn === lane).length);
  const cut = Math.max(1, Math.floor(counts[0]! / 2));
  const lanes = lanesOf({ sets: [setOf(0, cut, 1), setOf(1, counts[1]! + 1, 1), setOf(0, counts[0]! - cut + 1, 2)] });
  const entries = Uint16Array.from(turns, (lane, at) => (lane << laneShift) | (at === 0 ? 0 : (flags[at] ?? 0)));
  const rows = entries.filter((entry) => (entry & (sameKey | deletedKey)) === 0).length;
  const piece: MergePiece = {
    rows,
    begin: Uint8Array.of(1),
    lane: -1,
    from: new Float64Array(2),
    to: Float64Array.from(counts),
  };
  return { lanes, entries, piece };
}

describe('rows of a piece that are each of one lane', () => {
  it('are those that all rows are found by, in whatever turns they are asked for; others are not given', () => {
    let [given, refused] = [0, 0];
    const property = fc.property(
      fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 40 }),
      fc.oneof(fc.constant([]), fc.array(fc.constantFrom(0, 0, 0, 0, sameKey, deletedKey), { maxLength: 40 })),
      fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { minLength: 1, maxLength: 4 }),
      (turns, flags, spans) => {
        const { lanes, entries, piece } = pieceOf(turns, flags);
        for (const [a, b] of spans) {
          const [from, to] = [Math.min(a, b, piece.rows), Math.min(Math.max(a, b), piece.rows)];
          const alone = laneRows(entries, lanes, piece, from, to);
          // Found from the start each time: nothing is remembered of a copy.
          const all = placeRows(entries.slice(), lanes, piece, from, to);
          if (alone === undefined) {
            refused++;
            expect(flags.some((flag) => flag !== 0)).toBe(true);
            continue;
          }
          given++;
          const next = alone.lanes.map((own) => own.flatMap(({ set, from: first, rows }) => rowsOf(set, first, rows)));
          const found = Array.from(alone.entries, (entry) => next[entry >> laneShift]!.shift());
          expect(next.flat()).toEqual([]);
          const expected: unknown[] = [];
          for (const { set, from: first, targets } of all) {
            for (const [at, target] of targets.entries())
              if (target >= 0) expected[target] = rowsOf(set, first + at, 1)[0];
          }
          expect(found).toEqual(expected);
        }
      },
    );
    fc.assert(property, { numRuns: lawRuns(300, 5000) });
    expect(Math.min(given, refused)).toBeGreaterThan(20);
  });
});

const rowsOf = (set: KeySet, from: number, rows: number): { set: KeySet; row: number }[] =>
  Array.from({ length: rows }, (_, at) => ({ set, row: from + at }));

describe('record batches of merged rows', () => {
  it('are shares of a piece, for which nothing is read twice', async () => {
    await using spiral = spiralAt();
    const table = await newTable(spiral, { id: 'int64' });
    const count = 12_000;
    const text = 'x'.repeat(2000);
    for (const write of [0, 1, 2]) {
      const ids = Array.from({ length: count }, (_, id) => id).filter((id) => (id * 7 + (id >> 3)) % 3 === write);
      await table.write(ids.map((id) => ({ id: BigInt(id), text: `${text}${id}` })));
    }
    const scan = await spiral.scan(table);
    // Checks all checksums, so that what follows reads as later passes do.
    expect((await scan.toTable()).numRows).toBe(count);
    const before = scan.metrics.bytes;
    const sizes: number[] = [];
    let next = 0;
    for await (const batch of scan.toRecordBatches()) {
      sizes.push(batch.data.byteLength);
      const [ids, texts] = [batch.getChild('id')!, batch.getChild('text')!];
      for (let row = 0; row < batch.numRows; row++, next++) {
        if (ids.get(row) !== BigInt(next) || texts.get(row) !== `${text}${next}`)
          throw new Error(`row ${next} is another`);
      }
    }
    expect(next).toBe(count);
    expect(Math.max(...sizes)).toBeLessThan(3 * 2 ** 20);
    expect(sizes.length).toBeGreaterThan(8);
    expect((scan.metrics.bytes - before) / sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1.05);
  });
});
