import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dealHands, type Hand } from '../../src/sharding/deal.js';
import { type Piece, pickedPiece, pieceRows, slicePiece } from '../../src/sharding/piece.js';
import { lawRuns } from '../laws.js';

const runs = { numRuns: lawRuns(300, 10_000) };

const arbList: fc.Arbitrary<Piece[]> = fc
  .array(
    fc.record({
      from: fc.nat(100),
      rows: fc.nat(40),
      picks: fc.option(fc.uniqueArray(fc.nat(200), { maxLength: 40 }), { nil: undefined }),
    }),
    { maxLength: 12 },
  )
  .map((pieces) =>
    pieces.map(({ from, rows, picks }, shard) =>
      picks === undefined
        ? { shard, from, rows }
        : pickedPiece(shard, from, Uint32Array.from(picks.sort((a, b) => a - b))),
    ),
  );
const arbWorld = fc.integer({ min: 1, max: 7 });

/** Every row of `pieces`, in order. */
function rowsOf(pieces: readonly Piece[]): string[] {
  return pieces.flatMap(({ shard, from, rows, picks }) =>
    Array.from({ length: rows }, (_, at) => `${shard}:${from + (picks?.[at] ?? at)}`),
  );
}

const lengths = (hands: readonly Hand[]): number[] => hands.map(({ length }) => length);

describe('dealing to ranks', () => {
  test('keep and split deal every row once, split so that ranks differ by one row at most', () => {
    fc.assert(
      fc.property(arbList, arbWorld, (list, worldSize) => {
        for (const uneven of ['keep', 'split'] as const) {
          const hands = dealHands(list, worldSize, uneven);
          expect(hands.length).toBe(worldSize);
          expect(hands.flatMap(({ pieces }) => rowsOf(pieces)).sort()).toEqual(rowsOf(list).sort());
          for (const { pieces, own, length } of hands) expect([own, length]).toEqual([pieceRows(pieces), own]);
        }
        const split = lengths(dealHands(list, worldSize, 'split'));
        expect(Math.max(...split) - Math.min(...split)).toBeLessThanOrEqual(1);
      }),
      runs,
    );
  });

  test('drop and pad give all ranks the rows of the smallest or largest, of what keep deals them', () => {
    fc.assert(
      fc.property(arbList, arbWorld, (list, worldSize) => {
        const keep = dealHands(list, worldSize, 'keep');
        const [least, most] = [Math.min(...lengths(keep)), Math.max(...lengths(keep))];
        const dropped = dealHands(list, worldSize, 'drop');
        const padded = dealHands(list, worldSize, 'pad');
        for (const [rank, { pieces, own }] of keep.entries()) {
          expect(dropped[rank]).toMatchObject({ own, length: least });
          expect(padded[rank]).toMatchObject({ own, length: most });
          if (own > 0) expect(padded[rank]!.pieces).toEqual(pieces);
          else expect(padded[rank]!.pieces).toEqual(keep.find(({ length }) => length === most)!.pieces);
        }
      }),
      runs,
    );
  });

  test('split leaves shards whole where they are dealt evenly', () => {
    const list = Array.from({ length: 6 }, (_, shard) => ({ shard, from: 0, rows: 10 }));
    expect(dealHands(list, 3, 'split')).toEqual(dealHands(list, 3, 'keep'));
  });

  test('golden split: 3 ranks, shards of 10, 4, 0, 7 and 2 rows', () => {
    const list = [10, 4, 0, 7, 2].map((rows, shard) => ({ shard, from: 0, rows }));
    expect(dealHands(list, 3, 'split').map(({ pieces }) => pieces)).toEqual([
      [{ shard: 0, from: 0, rows: 7 }],
      [
        { shard: 0, from: 7, rows: 3 },
        { shard: 3, from: 0, rows: 5 },
      ],
      [
        { shard: 3, from: 5, rows: 2 },
        { shard: 1, from: 0, rows: 4 },
        { shard: 4, from: 0, rows: 2 },
      ],
    ]);
  });
});

describe('a piece', () => {
  test('cut anywhere gives its rows in order', () => {
    fc.assert(
      fc.property(arbList, fc.nat(), fc.nat(), (list, a, b) => {
        for (const piece of list) {
          const start = a % (piece.rows + 1);
          const end = start + (b % (piece.rows - start + 1));
          expect(rowsOf([slicePiece(piece, start, end)])).toEqual(rowsOf([piece]).slice(start, end));
        }
      }),
      runs,
    );
  });

  test('of rows that lie side by side is a plain stretch', () => {
    expect(pickedPiece(3, 10, Uint32Array.of(4, 5, 6))).toEqual({ shard: 3, from: 14, rows: 3 });
    expect(pickedPiece(3, 10, Uint32Array.of(4, 6))).toEqual({
      shard: 3,
      from: 14,
      rows: 2,
      picks: Uint32Array.of(0, 2),
    });
  });
});
