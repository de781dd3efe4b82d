import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EpochOrder, type OrderSettings } from '../../src/sharding/epoch-order.js';
import { type Piece, pickedPiece, pieceRows } from '../../src/sharding/piece.js';
import { interleaved, openWindow, restPieces } from '../../src/sharding/remainder.js';
import { lawRuns } from '../laws.js';

const runs = { numRuns: lawRuns(300, 10_000) };

const arbPieces: fc.Arbitrary<Piece[]> = fc
  .array(fc.record({ rows: fc.nat(60), stride: fc.integer({ min: 1, max: 3 }) }), { minLength: 1, maxLength: 6 })
  .map((pieces) =>
    pieces.map(({ rows, stride }, shard) =>
      pickedPiece(
        shard,
        5,
        Uint32Array.from({ length: rows }, (_, at) => at * stride),
      ),
    ),
  )
  .filter((pieces) => pieceRows(pieces) > 0);

const arbSettings: fc.Arbitrary<OrderSettings> = fc.record({
  seed: fc.integer(),
  epoch: fc.nat(9),
  rank: fc.constant(0),
  worldSize: fc.constant(1),
  bufferRows: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 80 })),
  lanes: fc.integer({ min: 1, max: 4 }),
  chunkRows: fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined }),
  worldChanges: fc.nat(2),
});

function samplesOf(order: EpochOrder, start: number, end: number): string[] {
  const { shards, rows } = order.samples(start, end);
  return Array.from(shards, (shard, at) => `${shard}:${rows[at]}`);
}

function rowsOf(pieces: readonly Piece[]): string[] {
  return pieces.flatMap(({ shard, from, rows, picks }) =>
    Array.from({ length: rows }, (_, at) => `${shard}:${from + (picks?.[at] ?? at)}`),
  );
}

describe('what a rank has left', () => {
  test('is the samples that it has not given, at any sample of any order', () => {
    fc.assert(
      fc.property(arbPieces, arbSettings, fc.nat(), (pieces, settings, pick) => {
        const order = new EpochOrder(pieces, settings);
        const sample = pick % (order.rows + 1);
        const rest = restPieces(order, openWindow(order, sample));
        expect(rowsOf(rest).sort()).toEqual(samplesOf(order, sample, order.rows).sort());
      }),
      runs,
    );
  });

  test('is none of the rows that the epoch drops, and none again that it repeats', () => {
    fc.assert(
      fc.property(arbPieces, arbSettings, fc.nat(200), fc.nat(), (pieces, settings, length, pick) => {
        const order = new EpochOrder(pieces, { ...settings, length });
        const sample = pick % (length + 1);
        const rest = rowsOf(restPieces(order, openWindow(order, sample)));
        const own = Math.min(length, pieceRows(pieces));
        expect(rest.sort()).toEqual(samplesOf(order, Math.min(sample, own), own).sort());
      }),
      runs,
    );
  });

  test('lists no more rows than the window held; the rest are stretches', () => {
    fc.assert(
      fc.property(arbSettings, fc.integer({ min: 0, max: 2999 }), (settings, sample) => {
        const pieces = [0, 1, 2].map((shard) => ({ shard, from: 0, rows: 1000 }));
        const order = new EpochOrder(pieces, settings);
        const listed = restPieces(order, openWindow(order, sample)).filter(({ picks }) => picks !== undefined);
        expect(pieceRows(listed)).toBeLessThanOrEqual(settings.bufferRows);
      }),
      runs,
    );
  });

  test('of several ranks is dealt in the order in which they would have come to it', () => {
    const piece = (shard: number): Piece => ({ shard, from: 0, rows: 1 });
    const list = interleaved([[piece(0), piece(1), piece(2)], [], [piece(3)], [piece(4), piece(5)]]);
    expect(list.map(({ shard }) => shard)).toEqual([0, 3, 4, 1, 5, 2]);
  });
});

describe('an epoch longer than its rows', () => {
  test('gives them lap by lap in the same order, and each as often as any other or once more', () => {
    fc.assert(
      fc.property(arbPieces, arbSettings, fc.nat(200), (pieces, settings, length) => {
        const order = new EpochOrder(pieces, { ...settings, length });
        const once = new EpochOrder(pieces, settings);
        const samples = samplesOf(order, 0, length);
        const own = once.rows;
        for (let lap = 0; (lap + 1) * own <= length; lap++) {
          expect(samples.slice(lap * own, (lap + 1) * own)).toEqual(samplesOf(once, 0, own));
        }
        const last = samples.slice(Math.floor(length / own) * own);
        expect(new Set(last).size).toBe(last.length);
      }),
      runs,
    );
  });
});
