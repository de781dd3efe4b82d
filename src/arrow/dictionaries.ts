import type { Data, Dictionary, Vector } from 'apache-arrow';
import { SpiralError } from '../core/errors.js';
import { bitAt } from './bits.js';
import { fixedWidth, layoutOf, type ValueArray } from './layout.js';
import { type Ranges, rowRanges } from './ranges.js';

/** Columns over one common dictionary. */
export interface UnifiedDictionaries {
  /** The indices of each source into the common dictionary, in the sources' own index type. */
  readonly indices: readonly ValueArray[];
  /** The common dictionary, where the sources share it already. */
  readonly shared: Vector | undefined;
  /** Else its values: these rows of these chunks. */
  readonly joined: { readonly chunks: readonly Data[]; readonly ranges: Ranges } | undefined;
}

/**
 * Brings dictionary columns over one dictionary: at no cost where they share it already, else by joining the distinct
 * values of all.
 *
 * @throws SpiralError `limit_exceeded` when the index type cannot count the values of all sources together.
 */
export function unifyDictionaries(sources: readonly Data[]): UnifiedDictionaries {
  const own = sources.map((data) => data.values as ValueArray);
  const first = sources[0]?.dictionary;
  if (sources.every((data) => data.dictionary === first)) return { indices: own, shared: first, joined: undefined };
  const join = new DictionaryJoin(sources[0]!.type as Dictionary);
  const remaps = new Map<Vector, Float64Array>();
  for (const { dictionary } of sources) {
    if (dictionary !== undefined && !remaps.has(dictionary)) remaps.set(dictionary, join.add(dictionary));
  }
  const indices = sources.map((data, at) => {
    const remap = data.dictionary === undefined ? undefined : remaps.get(data.dictionary);
    return remap === undefined ? own[at]! : remapIndices(own[at]!, remap);
  });
  return { indices, shared: undefined, joined: join.values() };
}

/** The distinct values of several dictionaries, in the order in which they were first seen. */
export class DictionaryJoin {
  readonly #type: Dictionary;
  readonly #places = new Map<unknown, number>();
  readonly #chunks: Data[] = [];
  readonly #source: number[] = [];
  readonly #row: number[] = [];

  constructor(type: Dictionary) {
    this.#type = type;
  }

  /**
   * Adds the values of `dictionary` that are new; returns where each of its values now stands.
   *
   * @throws SpiralError `limit_exceeded` when the index type cannot count that many values.
   */
  add(dictionary: Vector): Float64Array {
    const remap = new Float64Array(dictionary.length);
    let base = 0;
    for (const chunk of dictionary.data) {
      this.#chunks.push(chunk);
      const keyOf = identities(chunk);
      for (let row = 0; row < chunk.length; row++) {
        const key = keyOf(row);
        let place = this.#places.get(key);
        if (place === undefined) {
          place = this.#places.size;
          this.#places.set(key, place);
          this.#source.push(this.#chunks.length - 1);
          this.#row.push(row);
        }
        remap[base + row] = place;
      }
      base += chunk.length;
    }
    this.#checkSize();
    return remap;
  }

  /** The joined values: these rows of these chunks. */
  values(): { readonly chunks: readonly Data[]; readonly ranges: Ranges } {
    return { chunks: this.#chunks, ranges: rowRanges(Int32Array.from(this.#source), Int32Array.from(this.#row)) };
  }

  #checkSize(): void {
    const { indices } = this.#type;
    const most = 2 ** (indices.bitWidth - (indices.isSigned ? 1 : 0));
    if (this.#places.size <= most) return;
    throw new SpiralError(
      'limit_exceeded',
      `Expected at most ${most} distinct values in a dictionary column with ${indices} indices, found ` +
        `${this.#places.size} over all blocks together. Use a wider index type.`,
      { details: { indices: String(indices), values: this.#places.size } },
    );
  }
}

/**
 * Reads a key of each value that is equal for equal values only: their stored bytes, as values that decode alike (two
 * instants beyond the range of Date, two strings that are no UTF-8) are still two.
 */
function identities(chunk: Data): (row: number) => unknown {
  const layout = layoutOf(chunk.type);
  const valid = (row: number): boolean => chunk.nullCount === 0 || bitAt(chunk.nullBitmap!, chunk.offset + row);
  if (layout.kind === 'bits') {
    const bits = chunk.values as Uint8Array;
    return (row) => (valid(row) ? bitAt(bits, chunk.offset + row) : null);
  }
  if (layout.kind !== 'fixed' && layout.kind !== 'bytes') {
    throw new SpiralError('unsupported_type', `Dictionaries of ${chunk.type} are not supported.`, {
      details: { type: String(chunk.type) },
    });
  }
  const values = chunk.values as ValueArray;
  const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  const width = layout.kind === 'fixed' ? fixedWidth(layout) : 0;
  const offsets = chunk.valueOffsets as Int32Array | BigInt64Array;
  return (row) => {
    if (!valid(row)) return null;
    const from = layout.kind === 'fixed' ? row * width : Number(offsets[row]);
    const to = layout.kind === 'fixed' ? from + width : Number(offsets[row + 1]);
    return bytes.toString('latin1', from, to);
  };
}

/** `indices`, each replaced by where its value now stands. */
export function remapIndices(indices: ValueArray, remap: Float64Array): ValueArray {
  const changed = indices.slice();
  if (changed instanceof BigInt64Array || changed instanceof BigUint64Array) {
    for (let row = 0; row < changed.length; row++) changed[row] = BigInt(remap[Number(changed[row])] ?? 0);
  } else {
    for (let row = 0; row < changed.length; row++) changed[row] = remap[changed[row]!] ?? 0;
  }
  return changed;
}
