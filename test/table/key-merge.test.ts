import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildColumn } from '../../src/arrow/build.js';
import { parseType } from '../../src/arrow/words.js';
import { type EncodedKeys, encodeKeys, keyAt } from '../../src/table/key-codec.js';
import { compareKeys } from '../../src/table/key-compare.js';
import { type Lane, lanesOf } from '../../src/table/key-lane.js';
import {
  deletedKey,
  laneShift,
  type MergeEntries,
  type MergePiece,
  mergeEntries,
  mergeKeys,
  sameKey,
} from '../../src/table/key-merge.js';
import { firstOf, type KeyRun, keyRuns } from '../../src/table/key-run.js';
import type { LoadKeys } from '../../src/table/lane-cursor.js';
import type { Fragment } from '../../src/table/version.js';
import { lawRuns } from '../laws.js';

/** Numbers as keys of a fixed and of a varying width, in their order. */
const forms: Record<string, (numbers: readonly number[]) => EncodedKeys> = {
  int32: (numbers) => encoded('int32', numbers),
  'utf8 with long prefixes': (numbers) =>
    encoded(
      'utf8',
      numbers.map((number) => `the same prefix ${String(number).padStart(4, '0')}${'x'.repeat(number % 3)}`),
    ),
};

function encoded(words: string, values: readonly unknown[]): EncodedKeys {
  return encodeKeys([buildColumn('k', parseType(words), values, values.length, 'a test')], ['k']);
}

interface Written {
  readonly numbers: readonly number[];
  readonly batchRows: number;
  readonly deletes: boolean;
}

/** Fragments as a log would have them, a version each, and how their keys are loaded. */
class Kept {
  readonly fragments: readonly Fragment[];
  readonly loads: string[] = [];
  readonly #keys = new Map<Fragment, EncodedKeys>();
  readonly #written: readonly Written[];

  constructor(written: readonly Written[], form: (numbers: readonly number[]) => EncodedKeys) {
    this.#written = written;
    this.fragments = written.map(({ numbers, batchRows, deletes }, at) => {
      const keys = form(numbers);
      const batches = Math.ceil(numbers.length / batchRows);
      const fragment: Fragment = {
        rows: numbers.length,
        batchRows,
        keyMin: keyAt(keys, 0),
        keyMax: keyAt(keys, numbers.length - 1),
        batchKeys: Array.from({ length: batches }, (_, batch) => keyAt(keys, batch * batchRows)),
        keyDigest: createHash('sha256').update(keys.bytes).digest(),
        version: at + 2,
        commit: at + 2,
        ordinal: 0,
        deletes,
        files: [],
      };
      this.#keys.set(fragment, keys);
      return fragment;
    });
  }

  readonly load: LoadKeys = async (set, batch) => {
    const fragment = firstOf(set);
    this.loads.push(`${fragment.version} ${batch}`);
    const { bytes, offsets, width } = this.#keys.get(fragment)!;
    const from = batch * fragment.batchRows;
    const to = Math.min(fragment.rows, from + fragment.batchRows);
    const moved = offsets.slice(from, to + 1).map((offset) => offset - offsets[from]!);
    return { length: to - from, bytes: bytes.slice(offsets[from], offsets[to]), offsets: moved, width };
  };

  /** The number behind row `row` of a lane. */
  numberAt({ sets, starts }: Lane, row: number): number {
    const set = starts.findLastIndex((start) => start <= row);
    return this.#written[firstOf(sets[set]!).version - 2]!.numbers[row - starts[set]!]!;
  }

  /** What is there once all was written, in order. */
  numbersOf({ sets }: KeyRun): number[] {
    const versions = sets.flatMap((set) => set.layers.map(({ fragment }) => fragment.version)).sort((a, b) => a - b);
    const there = new Set<number>();
    for (const version of versions) {
      const { numbers, deletes } = this.#written[version - 2]!;
      for (const number of numbers) deletes ? there.delete(number) : there.add(number);
    }
    return [...there].sort((a, b) => a - b);
  }
}

interface Piece {
  readonly piece: MergePiece;
  readonly entries: MergeEntries | undefined;
}

/** The numbers of a piece that are there; those of one key must be the same. */
function numbersIn(kept: Kept, lanes: readonly Lane[], { piece, entries }: Piece): number[] {
  const rows = Array.from(piece.from);
  const taken = (lane: number): number => kept.numberAt(lanes[lane]!, rows[lane]!++);
  if (entries === undefined) return Array.from({ length: piece.rows }, () => taken(piece.lane));
  const found: number[] = [];
  let last = -1;
  for (const entry of entries) {
    const number = taken(entry >> laneShift);
    if ((entry & sameKey) !== 0) expect(number).toBe(last);
    else if ((entry & deletedKey) === 0) found.push(number);
    last = number;
  }
  expect(rows).toEqual(Array.from(piece.to));
  return found;
}

const arbWritten: fc.Arbitrary<Written> = fc.record({
  numbers: fc
    .uniqueArray(fc.nat(60), { minLength: 1, maxLength: 40 })
    .map((numbers) => [...numbers].sort((a, b) => a - b)),
  batchRows: fc.integer({ min: 1, max: 12 }),
  deletes: fc.boolean(),
});

async function mergedPieces(kept: Kept, lanes: readonly Lane[], pieceRows: number): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for await (const piece of mergeKeys(lanes, kept.load, pieceRows)) pieces.push(piece);
  return pieces;
}

describe.each(Object.entries(forms))('keys of %s', (_, form) => {
  it('merge into those that are there, each once, in order, in pieces that can be merged again', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(arbWritten, { minLength: 1, maxLength: 7 }),
        fc.integer({ min: 1, max: 30 }),
        async (written, pieceRows) => {
          const kept = new Kept(written, form);
          for (const run of keyRuns(kept.fragments)) {
            const lanes = lanesOf(run);
            const pieces = await mergedPieces(kept, lanes, pieceRows);
            const found = pieces.map((one) => numbersIn(kept, lanes, one));
            expect(found.flat()).toEqual(kept.numbersOf(run));
            for (const [at, { piece, entries }] of pieces.entries()) {
              expect(piece.rows).toBe(found[at]!.length);
              expect(piece.rows).toBeGreaterThan(0);
              expect(compareKeys(piece.begin, keyAt(form([found[at]![0]!]), 0))).toBeLessThanOrEqual(0);
              if (at > 0) expect(compareKeys(piece.begin, keyAt(form([found[at - 1]!.at(-1)!]), 0))).toBeGreaterThan(0);
              if (entries !== undefined) expect(await mergeEntries(lanes, kept.load, piece)).toEqual(entries);
            }
          }
        },
      ),
      { numRuns: lawRuns(400, 20_000) },
    ));
});

describe('lanes', () => {
  it('are as few as overlaps allow, and their keys ascend', () =>
    fc.assert(
      fc.property(fc.array(arbWritten, { minLength: 1, maxLength: 12 }), (written) => {
        const kept = new Kept(written, forms['int32']!);
        for (const run of keyRuns(kept.fragments)) {
          const lanes = lanesOf(run);
          for (const { sets } of lanes) {
            for (let at = 1; at < sets.length; at++) {
              const [before, after] = [firstOf(sets[at - 1]!), firstOf(sets[at]!)];
              expect(compareKeys(before.keyMax, after.keyMin)).toBeLessThan(0);
            }
          }
          const deepest = run.sets.map((set) => {
            const { keyMin } = firstOf(set);
            const over = (other: Fragment): boolean =>
              compareKeys(other.keyMin, keyMin) <= 0 && compareKeys(other.keyMax, keyMin) >= 0;
            return run.sets.filter((other) => over(firstOf(other))).length;
          });
          expect(lanes).toHaveLength(Math.max(...deepest));
        }
      }),
      { numRuns: lawRuns(200, 5000) },
    ));
});

describe('a few keys among many', () => {
  const range = (count: number, step: number): number[] => Array.from({ length: count }, (_, at) => at * step);
  const many: Written = { numbers: range(2000, 2), batchRows: 50, deletes: false };

  it('load the batches that they lie in, and leave the others as they are', async () => {
    const few: Written = { numbers: [301, 302, 2900], batchRows: 50, deletes: false };
    const kept = new Kept([many, few], forms['int32']!);
    const [run] = keyRuns(kept.fragments);
    const lanes = lanesOf(run!);
    const pieces = await mergedPieces(kept, lanes, 100);
    expect(pieces.reduce((sum, { piece }) => sum + piece.rows, 0)).toBe(2001);
    expect(pieces.filter(({ piece }) => piece.lane >= 0)).toHaveLength(38);
    // Two batches of the many; after two in turn one more is loaded ahead.
    expect(kept.loads.filter((load) => load.startsWith('2 ')).length).toBeLessThanOrEqual(4);
  });

  it('that are all deleted take their batches away unread', async () => {
    const gone: Written = { numbers: many.numbers.slice(100, 200), batchRows: 100, deletes: true };
    const kept = new Kept([many, gone, { ...many, numbers: [1] }], forms['int32']!);
    const [run] = keyRuns(kept.fragments);
    const pieces = await mergedPieces(kept, lanesOf(run!), 100);
    expect(pieces.reduce((sum, { piece }) => sum + piece.rows, 0)).toBe(1901);
  });
});
