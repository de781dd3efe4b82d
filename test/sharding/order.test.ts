import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { EpochOrder, type OrderSettings } from '../../src/sharding/epoch-order.js';
import type { Piece } from '../../src/sharding/piece.js';
import { lawRuns } from '../laws.js';

const runs = { numRuns: lawRuns(300, 10_000) };

const arbPieces = fc
  .array(fc.integer({ min: 0, max: 60 }), { maxLength: 8 })
  .map((rows) => rows.map((count, shard): Piece => ({ shard, from: 0, rows: count })));

const arbSettings: fc.Arbitrary<OrderSettings> = fc.record({
  seed: fc.integer(),
  epoch: fc.nat(1000),
  rank: fc.constant(0),
  worldSize: fc.constant(1),
  bufferRows: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 100 })),
  lanes: fc.integer({ min: 1, max: 6 }),
  chunkRows: fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined }),
});

/** The stream as the words of the architecture have it: k chunks at a time, row by row in turn. */
function plainStream(order: EpochOrder, lanes: number): string[] {
  const { count, shard, from, rows } = order.chunks;
  const stream: string[] = [];
  for (let group = 0; group < count; group += lanes) {
    const members = Array.from({ length: Math.min(lanes, count - group) }, (_, lane) => group + lane);
    const longest = Math.max(...members.map((chunk) => rows[chunk]!));
    for (let row = 0; row < longest; row++) {
      for (const chunk of members) if (row < rows[chunk]!) stream.push(`${shard[chunk]}:${from[chunk]! + row}`);
    }
  }
  return stream;
}

function located(order: EpochOrder, start: number, end: number): string[] {
  const chunk = new Int32Array(end - start);
  const row = new Int32Array(end - start);
  order.locate(start, end, chunk, row);
  return Array.from(chunk, (of, at) => `${order.chunks.shard[of]}:${order.chunks.from[of]! + row[at]!}`);
}

/** Every sample of the epoch, by walking its windows. */
function walked(order: EpochOrder): string[] {
  const samples: string[] = [];
  for (let start = 0; start < order.rows; ) {
    const span = order.windowFrom(start);
    const end = Math.min(span.limit, start + span.quota);
    const rows = located(order, start, end);
    const permutation = order.permutationOf(start, rows.length);
    samples.push(...(permutation === undefined ? rows : Array.from(permutation, (from) => rows[from]!)));
    start = end;
  }
  return samples;
}

describe('the order of an epoch', () => {
  test('positions lie where reading k chunks row by row in turn puts them', () => {
    fc.assert(
      fc.property(arbPieces, arbSettings, fc.nat(), fc.nat(), (pieces, settings, a, b) => {
        const order = new EpochOrder(pieces, settings);
        const stream = plainStream(order, settings.lanes);
        expect(order.rows).toBe(stream.length);
        const start = a % (stream.length + 1);
        const end = start + (b % (stream.length - start + 1));
        expect(located(order, start, end)).toEqual(stream.slice(start, end));
      }),
      runs,
    );
  });

  test('every row of every piece comes exactly once', () => {
    fc.assert(
      fc.property(arbPieces, arbSettings, (pieces, settings) => {
        const all = pieces.flatMap(({ shard, rows }) => Array.from({ length: rows }, (_, row) => `${shard}:${row}`));
        expect(walked(new EpochOrder(pieces, settings)).sort()).toEqual(all.sort());
      }),
      runs,
    );
  });

  test('any sample is found without walking to it, and so is its window', () => {
    fc.assert(
      fc.property(arbPieces, arbSettings, fc.nat(), (pieces, settings, pick) => {
        const order = new EpochOrder(pieces, settings);
        fc.pre(order.rows > 0);
        const samples = walked(order);
        const position = pick % samples.length;
        const { shard, row } = order.sampleAt(position);
        expect(`${shard}:${row}`).toBe(samples[position]);
        const window = order.windowAt(position);
        expect(window.start).toBeLessThanOrEqual(position);
        expect(window.end).toBeGreaterThan(position);
        expect({ start: window.start, limit: window.limit, quota: window.quota }).toEqual(
          order.windowFrom(window.start),
        );
      }),
      runs,
    );
  });

  test('without lanes and chunks windows stay within a piece, whose order is its own wherever it stands', () => {
    fc.assert(
      fc.property(arbPieces, arbSettings, (pieces, given) => {
        const settings = { ...given, lanes: 1, chunkRows: undefined };
        const apart = pieces.flatMap((piece) =>
          walked(new EpochOrder([piece], { ...settings, rank: 1, worldSize: 2 })),
        );
        expect(walked(new EpochOrder(pieces, settings))).toEqual(apart);
      }),
      runs,
    );
  });

  test('a buffer that holds everything permutes everything in one window', () => {
    const order = new EpochOrder([{ shard: 0, from: 0, rows: 500 }], settingsOf({ bufferRows: 500 }));
    expect(order.windowFrom(0)).toEqual({ start: 0, limit: 500, quota: 500 });
    expect(walked(order)).not.toEqual(plainStream(order, 1));
  });

  test('the first window is shortened by a stagger that changes from epoch to epoch', () => {
    const firsts = new Set<number>();
    for (let epoch = 0; epoch < 20; epoch++) {
      const order = new EpochOrder([{ shard: 0, from: 0, rows: 1000 }], settingsOf({ epoch, bufferRows: 100 }));
      const { quota } = order.windowFrom(0);
      expect(quota).toBeGreaterThan(0);
      expect(quota).toBeLessThanOrEqual(100);
      expect(order.windowFrom(quota).quota).toBe(100);
      firsts.add(quota);
    }
    expect(firsts.size).toBeGreaterThan(10);
  });

  test('seed 1 epoch 2 and seed 2 epoch 1 share nothing, and two epochs differ', () => {
    const pieces = [{ shard: 0, from: 0, rows: 1000 }];
    const of = (seed: number, epoch: number): string[] =>
      walked(new EpochOrder(pieces, settingsOf({ seed, epoch, bufferRows: 1000 })));
    const agreeing = (a: string[], b: string[]): number => a.filter((sample, at) => sample === b[at]).length;
    expect(agreeing(of(1, 2), of(2, 1))).toBeLessThan(10);
    expect(agreeing(of(1, 1), of(1, 2))).toBeLessThan(10);
    expect(of(1, 2)).toEqual(of(1, 2));
  });

  test.each(goldens())('golden order: $name', ({ pieces, settings, samples }) => {
    const order = new EpochOrder(pieces, { ...settings, chunkRows: settings.chunkRows ?? undefined });
    expect(walked(order)).toEqual(samples);
  });
});

interface Golden {
  name: string;
  pieces: Piece[];
  settings: Omit<OrderSettings, 'chunkRows'> & { chunkRows: number | null };
  samples: string[];
}

function goldens(): Golden[] {
  return JSON.parse(readFileSync(new URL('./goldens/orders.json', import.meta.url), 'utf8')) as Golden[];
}

function settingsOf(given: Partial<OrderSettings>): OrderSettings {
  return { seed: 7, epoch: 0, rank: 0, worldSize: 1, bufferRows: 0, lanes: 1, chunkRows: undefined, ...given };
}
