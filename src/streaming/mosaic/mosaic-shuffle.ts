import { SpiralError } from '../../core/errors.js';
import { counting, NumpyGenerator } from '../order/numpy-generator.js';
import { cutSpans, type ShardSpans, shardStarts, shuffledSpans } from '../order/shard-spans.js';
import { placesSorted } from './sorted-places.js';

/** MosaicML's shuffles. `py1b` is of its releases before 0.11. */
export const shuffleAlgos = ['py1s', 'py2s', 'py1b', 'py1br', 'py1e', 'naive'] as const;
export type ShuffleAlgo = (typeof shuffleAlgos)[number];

/** What a shuffle is made from. `shardSizes` are samples; `blockSize` counts for py1b, py1br and py1e. */
export interface ShuffleSettings {
  readonly shardSizes: ArrayLike<number>;
  readonly canonicalNodes: number;
  readonly seed: number | bigint;
  readonly epoch: number;
  readonly blockSize: number;
}

interface Prepared {
  readonly samples: number;
  readonly spans: ShardSpans;
  readonly generator: NumpyGenerator;
}

/**
 * The order of an epoch's samples: place -> sample, 4 bytes a sample.
 *
 * The order of the shards is drawn from the seed alone, so that a bucket keeps its shards through all epochs; all else from
 * seed + epoch, a sum: seed 1 epoch 2 and seed 2 epoch 1 give one order, as they do in MosaicML's.
 *
 * @throws SpiralError `invalid_size` where `blockSize` is too small to be drawn from (py1b from 1, py1br and py1e from 2
 * and 1), `no_rows` where py1e finds a bucket without samples, `limit_exceeded` above 2^32 - 1 samples.
 */
export function epochShuffle(algo: ShuffleAlgo, settings: ShuffleSettings): Uint32Array {
  const starts = shardStarts(settings.shardSizes);
  checkSizes(algo, settings, starts.at(-1)!);
  const seed = BigInt(settings.seed);
  const generator = new NumpyGenerator(seed + BigInt(settings.epoch));
  if (algo === 'naive') return generator.permutation(starts.at(-1)!);
  const run = new NumpyGenerator(seed);
  const shardOrder = run.permutation(settings.shardSizes.length);
  const cut = (): ShardSpans => cutSpans(starts, shardOrder, settings.canonicalNodes);
  if (algo === 'py2s') return twice(starts, shardOrder, settings.canonicalNodes, run, generator);
  const prepared = { samples: starts.at(-1)!, spans: shuffledSpans(cut(), generator), generator };
  if (algo === 'py1s') return withinSpans(prepared);
  if (algo === 'py1b') return withinBlocks(prepared, settings.blockSize);
  if (algo === 'py1br') return withinDrawnBlocks(prepared, settings.blockSize);
  return byDrawnShifts(prepared, settings.blockSize);
}

function checkSizes(algo: ShuffleAlgo, { blockSize, canonicalNodes }: ShuffleSettings, samples: number): void {
  if (samples > 0xffff_ffff) {
    throw new SpiralError(
      'limit_exceeded',
      `Expected an epoch of at most 2 ** 32 - 1 samples in MosaicML's orders, got ${samples}. Use order: 'native'.`,
      { details: { samples } },
    );
  }
  const least = { py1b: 1, py1br: 2, py1e: 1, py1s: 0, py2s: 0, naive: 0 }[algo];
  if (blockSize < least) {
    throw new SpiralError(
      'invalid_size',
      `Expected a shuffle block of at least ${least} samples for ${algo}, got ${blockSize}. Raise \`shuffleBlockSize\`: of ` +
        'several streams each has a part of it in proportion to its samples.',
      { details: { shuffleAlgo: algo, blockSize } },
    );
  }
  if (algo === 'py1e' && samples < canonicalNodes) {
    throw new SpiralError(
      'no_rows',
      `Expected at least one sample for each of ${canonicalNodes} canonical nodes, got ${samples}. Lower ` +
        '`numCanonicalNodes`, or use another `shuffleAlgo` than py1e.',
      { details: { samples, numCanonicalNodes: canonicalNodes } },
    );
  }
}

/** The samples of `spans` from `from` to `to`, written to `ids` at `at`; returns the end. */
function fill(ids: Uint32Array, at: number, spans: ShardSpans, from: number, to: number): number {
  for (let span = from; span < to; span++) {
    const end = spans.ends[span]!;
    for (let id = spans.begins[span]!; id < end; id++) ids[at++] = id;
  }
  return at;
}

/** py1s: each span by itself. */
function withinSpans({ samples, spans, generator }: Prepared): Uint32Array {
  const ids = new Uint32Array(samples);
  let at = 0;
  for (let span = 0; span < spans.begins.length; span++) {
    const end = fill(ids, at, spans, span, span + 1);
    generator.shuffle(ids, at, end);
    at = end;
  }
  return ids;
}

/** py2s: each shard by the run's generator, then, cut into buckets, each piece of it by the epoch's. */
function twice(
  starts: Float64Array,
  shardOrder: Uint32Array,
  canonicalNodes: number,
  run: NumpyGenerator,
  generator: NumpyGenerator,
): Uint32Array {
  const laid = counting(starts.at(-1)!);
  for (const shard of shardOrder) run.shuffle(laid, starts[shard]!, starts[shard + 1]!);
  const { begins, ends, bounds } = cutSpans(starts, shardOrder, canonicalNodes);
  const ids = new Uint32Array(laid.length);
  const order = counting(begins.length);
  let at = 0;
  for (let bucket = 0; bucket < canonicalNodes; bucket++) {
    generator.shuffle(order, bounds[bucket]!, bounds[bucket + 1]!);
    for (let place = bounds[bucket]!; place < bounds[bucket + 1]!; place++) {
      const [begin, end] = [begins[order[place]!]!, ends[order[place]!]!];
      ids.set(generator.shuffle(laid, begin, end).subarray(begin, end), at);
      at += end - begin;
    }
  }
  return ids;
}

/** py1b: blocks of one size, each bucket's from its start. */
function withinBlocks({ samples, spans, generator }: Prepared, blockSize: number): Uint32Array {
  const ids = new Uint32Array(samples);
  let at = 0;
  for (let bucket = 0; bucket + 1 < spans.bounds.length; bucket++) {
    const end = fill(ids, at, spans, spans.bounds[bucket]!, spans.bounds[bucket + 1]!);
    for (; at < end; at = Math.min(at + blockSize, end)) generator.shuffle(ids, at, Math.min(at + blockSize, end));
  }
  return ids;
}

/** py1br: blocks of drawn sizes, each bucket's shifted left by a drawn stagger. */
function withinDrawnBlocks({ samples, spans, generator }: Prepared, blockSize: number): Uint32Array {
  const ids = new Uint32Array(samples);
  const [low, high] = [Math.floor(0.75 * blockSize), Math.floor(1.25 * blockSize)];
  const staggers = spans.bounds.slice(1).map(() => generator.integers(0, low));
  let start = 0;
  for (const [bucket, stagger] of staggers.entries()) {
    const end = fill(ids, start, spans, spans.bounds[bucket]!, spans.bounds[bucket + 1]!);
    const blocks: (readonly [number, number])[] = [];
    // What was clipped off a block is not counted, so that later blocks may overlap: the original's order has it so.
    for (let covered = start; covered < end; ) {
      const size = generator.integers(low, high);
      const block = [Math.max(covered - stagger, start), Math.min(covered + size - stagger, end)] as const;
      blocks.push(block);
      covered += block[1] - block[0];
    }
    for (const [from, to] of blocks) generator.shuffle(ids, from, to);
    start = end;
  }
  return ids;
}

/** py1e: each sample is shifted by a drawn distance, within about `blockSize` around its span, and the bucket sorted. */
function byDrawnShifts({ samples, spans, generator }: Prepared, blockSize: number): Uint32Array {
  const ids = new Uint32Array(samples);
  const [low, high] = [Math.floor(0.75 * blockSize), Math.floor(1.25 * blockSize)];
  let start = 0;
  for (let bucket = 0; bucket + 1 < spans.bounds.length; bucket++) {
    const [from, to] = [spans.bounds[bucket]!, spans.bounds[bucket + 1]!];
    let end = start;
    for (let span = from; span < to; span++) {
      const spanEnd = fill(ids, end, spans, span, span + 1);
      generator.shuffle(ids, end, spanEnd);
      end = spanEnd;
    }
    const length = end - start;
    const places = new Float64Array(length);
    let offset = 0;
    for (let span = from; span < to; span++) {
      const size = spans.ends[span]! - spans.begins[span]!;
      const reach = Math.max(0, (generator.integers(low, high) - size) / 2);
      const least = Math.max(-reach, -offset);
      const most = Math.min(reach, length - offset - size);
      for (const spanEnd = offset + size; offset < spanEnd; offset++) {
        places[offset] = offset + generator.uniform(least, most);
      }
    }
    const before = ids.slice(start, end);
    for (const [at, place] of placesSorted(places).entries()) ids[start + at] = before[place]!;
    start = end;
  }
  return ids;
}
