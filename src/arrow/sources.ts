import { type Data, DataType, type Dictionary, type Vector } from 'apache-arrow';
import { type UnitArrays, unitArrays } from './copy-fixed.js';
import { type Addresses, addressesOf } from './copy-kernel.js';
import { type UnifiedDictionaries, unifyDictionaries } from './dictionaries.js';
import { type Layout, layoutOf, type ValueArray } from './layout.js';
import type { Ranges } from './ranges.js';

/**
 * One column of several sources (blocks), taken apart once so that many gathers from it cost nothing to set up: a
 * shuffle window is prepared once and drawn from by every batch.
 */
export interface ColumnSources {
  readonly type: DataType;
  readonly layout: Layout;
  /** Rows of each source. */
  readonly lengths: readonly number[];
  /** The validity bitmap of each source; undefined where a source has no nulls. */
  readonly validity: readonly (Uint8Array | undefined)[];
  /** Where row 0 of each source lies in its bitmaps. */
  readonly bitOffsets: readonly number[];
  readonly hasNulls: boolean;
  /** `fixed`: the values; of a dictionary column, its indices into `dictionary`. */
  readonly units: UnitArrays | undefined;
  /** `bits` and `bytes`: the values. */
  readonly bytes: readonly Uint8Array[];
  /** `bytes` and `list`: the offsets. */
  readonly offsets: readonly (Int32Array | BigInt64Array)[];
  /** `fixed` and `bytes` with offsets of 32 bits: where all that lies, if it lies in one arena. */
  readonly addresses: Addresses | undefined;
  readonly children: readonly ColumnSources[];
  /** Of a dictionary column: its values, as they are or still to be gathered. */
  readonly dictionary: DictionaryValues | undefined;
}

/** A dictionary that is there, or the rows of other dictionaries that make it. */
export type DictionaryValues = { vector: Vector } | { readonly values: ColumnSources; readonly ranges: Ranges };

/** Takes `sources`, columns of one `type`, apart for gathering. Reads nothing and copies nothing but dictionaries. */
export function columnSources(type: DataType, sources: readonly Data[]): ColumnSources {
  const layout = layoutOf(type);
  const validity = sources.map((data) => (data.nullCount > 0 ? data.nullBitmap : undefined));
  const common = {
    type,
    layout,
    lengths: sources.map((data) => data.length),
    validity,
    bitOffsets: sources.map((data) => data.offset),
    hasNulls: validity.some((bits) => bits !== undefined),
    units: undefined,
    bytes: [],
    offsets: [],
    addresses: undefined,
    children: [],
    dictionary: undefined,
  };
  switch (layout.kind) {
    case 'fixed': {
      const width = layout.array.BYTES_PER_ELEMENT;
      if (!DataType.isDictionary(type)) {
        const values = sources.map(valuesOf);
        return { ...common, units: unitArrays(width, values), addresses: addressesOf(values) };
      }
      const unified = unifyDictionaries(sources);
      const { indices } = unified;
      const dictionary = dictionaryValues(type, unified);
      return { ...common, units: unitArrays(width, indices), addresses: addressesOf(indices), dictionary };
    }
    case 'bits':
      return { ...common, bytes: sources.map((data) => data.values as Uint8Array) };
    case 'bytes': {
      const bytes = sources.map((data) => data.values as Uint8Array);
      const offsets = sources.map(offsetsOf);
      return { ...common, bytes, offsets, addresses: layout.wide ? undefined : addressesOf(bytes, offsets) };
    }
    case 'list':
      return { ...common, offsets: sources.map(offsetsOf), children: childSources(type, sources) };
    case 'fixedList':
    case 'struct':
      return { ...common, children: childSources(type, sources) };
  }
}

function dictionaryValues(type: Dictionary, unified: UnifiedDictionaries): DictionaryValues | undefined {
  if (unified.joined === undefined) return unified.shared === undefined ? undefined : { vector: unified.shared };
  return { values: columnSources(type.dictionary, unified.joined.chunks), ranges: unified.joined.ranges };
}

function childSources(type: DataType, sources: readonly Data[]): ColumnSources[] {
  return type.children.map((field, index) =>
    columnSources(
      field.type,
      sources.map((data) => data.children[index]!),
    ),
  );
}

const valuesOf = (data: Data): ValueArray => data.values as ValueArray;
const offsetsOf = (data: Data): Int32Array | BigInt64Array => data.valueOffsets as Int32Array | BigInt64Array;
