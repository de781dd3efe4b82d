import { stretchAt } from '../../core/search.js';
import type { Piece } from '../../sharding/piece.js';
import type { World } from '../../sharding/world.js';
import type { SampleOrder } from '../order/sample-order.js';
import { partRows } from './epoch-pieces.js';
import { NativePart, type NeededShard, type PartSettings } from './native-part.js';

/** What becomes of ranks that an epoch does not divide among equally; see `NativeOrderOptions.uneven`. */
export const nativeUnevenWords = ['pad', 'drop', 'keep'] as const;
export type NativeUneven = (typeof nativeUnevenWords)[number];

/** What an epoch's order is made from, and who asks. */
export interface NativeEpochSettings extends Omit<PartSettings, 'part' | 'parts'> {
  readonly parts: readonly (readonly Piece[])[];
  readonly samples: number;
  readonly shardStarts: Float64Array;
  readonly uneven: NativeUneven;
  readonly sampleInEpoch: number;
  readonly world: World;
}

/** Places of which the parts are looked up in turn, so that what is written stays in the cache. */
const placesAtOnce = 4096;

/**
 * An epoch of the native order, or what is left of it: place j of rank r of W is position `sampleInEpoch + j * W + r`, and
 * position g is sample number `floor(g / C)` of part `g mod C` of C.
 */
export class NativeEpoch implements SampleOrder {
  readonly rankLength: number;
  readonly duplicates: number;
  readonly #settings: NativeEpochSettings;
  readonly #parts: (NativePart | undefined)[];

  constructor(settings: NativeEpochSettings) {
    const { samples, uneven, sampleInEpoch, world } = settings;
    const left = Math.max(0, samples - sampleInEpoch);
    const own = uneven === 'keep' ? left - world.rank : left;
    const length = own / world.worldSize;
    this.rankLength = Math.max(0, uneven === 'drop' ? Math.floor(length) : Math.ceil(length));
    this.duplicates = uneven === 'pad' ? this.rankLength * world.worldSize - left : 0;
    this.#settings = settings;
    this.#parts = settings.parts.map(() => undefined);
  }

  samples(from: number, to: number, ids: Float64Array): void {
    const { samples, world } = this.#settings;
    const end = Math.min(to, this.rankLength);
    // The last place of a rank may be past the last position.
    const whole = Math.max(from, Math.min(end, Math.ceil((samples - this.#position(0)) / world.worldSize)));
    for (let place = from; place < whole; place += placesAtOnce) {
      this.#write(place, Math.min(whole, place + placesAtOnce), ids, place - from);
    }
    for (let place = whole; place < end; place++) this.#writeFiller(this.#position(place), ids, place - from);
    ids.fill(-1, Math.max(0, end - from), to - from);
  }

  *shardsFrom(place: number): Generator<number, void, undefined> {
    const { shardStarts } = this.#settings;
    const firstPart = new Int32Array(shardStarts.length).fill(-1);
    const more = new Set<string>();
    for (const { shard, part } of this.#neededFrom(place)) {
      const known = firstPart[shard]!;
      if (known === -1) firstPart[shard] = part;
      else if (known === part || more.has(`${part} ${shard}`)) continue;
      else more.add(`${part} ${shard}`);
      yield shard;
    }
  }

  /** As {@link shardsFrom}, but a shard may come again for the same part. */
  *#neededFrom(place: number): Generator<{ shard: number; part: number }, void, undefined> {
    const { parts, samples, shardStarts, world } = this.#settings;
    if (place >= this.rankLength) return;
    // Behind this are samples that are dropped.
    const end = this.#position(this.rankLength - 1) - world.rank + world.worldSize;
    const { period, step } = this.#stride();
    const heads: { readonly part: number; readonly rest: Iterator<NeededShard>; head: NeededShard }[] = [];
    for (let turn = 0; turn < period; turn++) {
      const position = this.#position(place + turn);
      if (position >= samples) break;
      const part = position % parts.length;
      const rest = this.#part(part).shardsFrom(Math.floor(position / parts.length), step);
      const { value } = rest.next();
      if (value !== undefined) heads.push({ part, rest, head: value });
    }
    while (heads.length > 0) {
      const position = ({ part, head }: (typeof heads)[number]): number => head.index * parts.length + part;
      const next = heads.reduce((least, one) => (position(one) < position(least) ? one : least));
      if (position(next) >= end) break;
      yield { shard: next.head.shard, part: next.part };
      const { value } = next.rest.next();
      if (value === undefined) heads.splice(heads.indexOf(next), 1);
      else next.head = value;
    }
    const last = this.#position(this.rankLength - 1);
    if (last < samples) return;
    const filler = new Float64Array(1);
    this.#writeFiller(last, filler, 0);
    yield { shard: stretchAt(shardStarts, filler[0]!), part: last % parts.length };
  }

  #position(place: number): number {
    const { sampleInEpoch, world } = this.#settings;
    return sampleInEpoch + place * world.worldSize + world.rank;
  }

  /** After `period` places a rank comes to the same part again, `step` samples on. */
  #stride(): { period: number; step: number } {
    const { parts, world } = this.#settings;
    const common = greatestCommon(parts.length, world.worldSize);
    return { period: parts.length / common, step: world.worldSize / common };
  }

  #write(from: number, to: number, ids: Float64Array, at: number): void {
    const { length } = this.#settings.parts;
    const { period, step } = this.#stride();
    for (let turn = 0; turn < Math.min(period, to - from); turn++) {
      const position = this.#position(from + turn);
      const count = Math.ceil((to - from - turn) / period);
      this.#part(position % length).write(Math.floor(position / length), step, count, ids, at + turn, period);
    }
  }

  /** What fills the places past the last position: the last sample of the same part. */
  #writeFiller(position: number, ids: Float64Array, at: number): void {
    const { parts, samples } = this.#settings;
    const part = position % parts.length;
    this.#part(part).write(partRows(samples, parts.length, part) - 1, 1, 1, ids, at, 1);
  }

  #part(part: number): NativePart {
    const { parts, shardStarts, seed, epoch, windowSamples } = this.#settings;
    this.#parts[part] ??= new NativePart(parts[part]!, shardStarts, {
      seed,
      epoch,
      part,
      parts: parts.length,
      windowSamples,
    });
    return this.#parts[part];
  }
}

function greatestCommon(a: number, b: number): number {
  return b === 0 ? a : greatestCommon(b, a % b);
}
