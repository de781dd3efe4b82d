import { knownOptions, wholeNumber } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';
import { NumpyGenerator } from './numpy-generator.js';

/** One stream's part of a mixed epoch: at most one of the three; none counts as `repeat: 1`. */
export interface StreamWeight {
  /** Relative to the other streams' proportions, which they must then have too. */
  readonly proportion?: number | undefined;
  /** Times that the stream is seen in an epoch, rounded down to a sample. */
  readonly repeat?: number | undefined;
  /** Samples of the stream in an epoch. */
  readonly choose?: number | undefined;
}

/** What a stream gives to an epoch: samples, and as a share of the whole. */
export interface StreamPart {
  readonly choose: number;
  readonly proportion: number;
}

/** An MDS shard counts its samples in 32 bits. */
const shardSamplesMax = 0xffff_ffff;

/**
 * Checks a list of streams as an order's options have it: the samples of each stream's shards, and its weight.
 *
 * @throws SpiralError `invalid_argument` unless it is a list of at least one, each with a list of `shardSizes` and nothing
 * unknown; `invalid_size` for a shard whose samples are no whole number. Weights are checked where they are mixed.
 */
export function checkStreams(streams: unknown): void {
  if (!Array.isArray(streams) || streams.length === 0) throw noList('`streams` to be a list of at least one', streams);
  for (const [stream, given] of streams.entries()) {
    const { shardSizes } = (given ?? {}) as { shardSizes?: unknown };
    if (!Array.isArray(shardSizes)) {
      throw noList(`\`shardSizes\` of stream ${stream} to be a list of samples by shard`, shardSizes);
    }
    knownOptions(`Stream ${stream}`, given as object, ['shardSizes', 'proportion', 'repeat', 'choose']);
    for (const [shard, size] of shardSizes.entries()) {
      wholeNumber(`streams[${stream}].shardSizes[${shard}]`, size, { max: shardSamplesMax });
    }
  }
}

function noList(what: string, found: unknown): SpiralError {
  return new SpiralError('invalid_argument', `Expected ${what}, got ${shown(found)}.`, { details: { found } });
}

/**
 * Samples of an `epochSize`: a number, or a text as '100k', '64M', '77b'.
 *
 * @throws SpiralError `invalid_size` unless it comes to a whole number of at least 1.
 */
export function epochSamples(epochSize: number | string): number {
  const match = typeof epochSize === 'string' ? /^(\d+(?:\.\d+)?)([kmbt]?)$/i.exec(epochSize.trim()) : null;
  if (match === null) return wholeNumber('epochSize', epochSize, { min: 1, unit: "samples, or a text as '100k'" });
  const thousands = match[2] === '' ? 0 : 'kmbt'.indexOf(match[2]!.toLowerCase()) + 1;
  return wholeNumber('epochSize', Math.floor(Number(match[1]) * 1000 ** thousands), { min: 1, unit: 'samples' });
}

/**
 * The parts that streams of `sizes` samples have in an epoch. `epochSize` goes with proportions, or with no weights at all,
 * and is the size of all streams if not given; what rounding down leaves goes to streams drawn from `seed`.
 *
 * @throws SpiralError `invalid_argument` where a stream has two weights, only some have proportions, or `epochSize` meets
 * `repeat` or `choose`; `invalid_size` where a weight is out of range; `no_rows` where nothing is left to draw, or an empty
 * stream is asked for samples.
 */
export function mixStreams(
  weights: readonly StreamWeight[],
  sizes: readonly number[],
  epochSize: number | undefined,
  seed: number | bigint,
): StreamPart[] {
  const relative = checkWeights(weights);
  const bare = weights.every(({ repeat, choose }) => repeat === undefined && choose === undefined);
  if (!bare && epochSize !== undefined) {
    throw new SpiralError(
      'invalid_argument',
      `Expected no \`epochSize\` beside streams with \`repeat\` or \`choose\`, got ${epochSize}: these say the size. Give ` +
        'each stream a `proportion` instead, or leave `epochSize` out.',
      { details: { epochSize } },
    );
  }
  const parts =
    relative || (bare && epochSize !== undefined)
      ? relativeParts(relative ? weights.map((weight) => weight.proportion!) : sizes, sizes, epochSize, seed)
      : absoluteParts(weights, sizes);
  checkParts(parts, sizes);
  return parts;
}

function checkWeights(weights: readonly StreamWeight[]): boolean {
  const relative = weights[0]?.proportion !== undefined;
  for (const [stream, weight] of weights.entries()) {
    const given = (['proportion', 'repeat', 'choose'] as const).filter((name) => weight[name] !== undefined);
    if (given.length > 1) {
      throw new SpiralError(
        'invalid_argument',
        `Expected at most one of \`proportion\`, \`repeat\` and \`choose\` in stream ${stream}, got ${given.join(', ')}.`,
        { details: { stream, given } },
      );
    }
    if (relative !== (weight.proportion !== undefined)) {
      throw new SpiralError(
        'invalid_argument',
        `Expected a \`proportion\` in every stream or in none, got ${relative ? 'none' : 'one'} in stream ${stream}: ` +
          'it cannot be mixed with `repeat`, `choose` or no weight.',
        { details: { stream } },
      );
    }
    for (const name of given) {
      const value = weight[name]!;
      if (
        typeof value === 'number' &&
        value >= 0 &&
        (name === 'choose' ? Number.isSafeInteger(value) : value < Infinity)
      )
        continue;
      throw new SpiralError(
        'invalid_size',
        `Expected \`${name}\` of stream ${stream} to be a ${name === 'choose' ? 'whole ' : ''}number of at least 0, got ${String(value)}.`,
        { details: { stream, name, found: value } },
      );
    }
  }
  return relative;
}

function relativeParts(
  given: readonly number[],
  sizes: readonly number[],
  epochSize: number | undefined,
  seed: number | bigint,
): StreamPart[] {
  const whole = pairwiseSum(given, 0, given.length);
  if (!(whole > 0 && whole < Infinity)) throw nothingToDraw();
  const proportions = given.map((proportion) => proportion / whole);
  const wanted = epochSize ?? sizes.reduce((a, b) => a + b, 0);
  const chosen = proportions.map((proportion) => Math.floor(wanted * proportion));
  const missing = wanted - chosen.reduce((a, b) => a + b, 0);
  for (const stream of new NumpyGenerator(seed).choice(given.length, missing)) chosen[stream]!++;
  return proportions.map((proportion, stream) => ({ proportion, choose: chosen[stream]! }));
}

function absoluteParts(weights: readonly StreamWeight[], sizes: readonly number[]): StreamPart[] {
  const chosen = weights.map(({ repeat, choose }, stream) => choose ?? Math.floor((repeat ?? 1) * sizes[stream]!));
  const whole = chosen.reduce((a, b) => a + b, 0);
  return chosen.map((choose) => ({ choose, proportion: choose / whole }));
}

function checkParts(parts: readonly StreamPart[], sizes: readonly number[]): void {
  const whole = parts.reduce((sum, { choose }) => sum + choose, 0);
  if (whole === 0) throw nothingToDraw();
  if (!Number.isSafeInteger(whole)) {
    throw new SpiralError('invalid_size', `Expected an epoch of at most 2 ** 53 - 1 samples, got ${whole}.`, {
      details: { samples: whole },
    });
  }
  for (const [stream, { choose }] of parts.entries()) {
    if (choose === 0 || sizes[stream] !== 0) continue;
    throw new SpiralError(
      'no_rows',
      `Expected samples in stream ${stream}, of which an epoch takes ${choose}, got an empty one. Leave it out, or choose 0.`,
      { details: { stream, choose } },
    );
  }
}

function nothingToDraw(): SpiralError {
  return new SpiralError(
    'no_rows',
    'Expected an epoch of at least 1 sample, got none: the streams are empty or weigh 0.',
  );
}

/** The sum as numpy adds 64-bit floats: in halves of up to 128, each in eight lanes; its rounding decides proportions. */
function pairwiseSum(values: readonly number[], from: number, to: number): number {
  const count = to - from;
  if (count < 8) return values.slice(from, to).reduce((a, b) => a + b, 0);
  if (count > 128) {
    const half = Math.floor(count / 2) - (Math.floor(count / 2) % 8);
    return pairwiseSum(values, from, from + half) + pairwiseSum(values, from + half, to);
  }
  const lanes = values.slice(from, from + 8);
  const even = to - (count % 8);
  for (let at = from + 8; at < even; at++) lanes[(at - from) % 8]! += values[at]!;
  const [a, b, c, d, e, f, g, h] = lanes as [number, number, number, number, number, number, number, number];
  let sum = a + b + (c + d) + (e + f + (g + h));
  for (let at = even; at < to; at++) sum += values[at]!;
  return sum;
}
