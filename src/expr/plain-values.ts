import { type Data, DataType, type Dictionary } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { type Ranges, rowRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import { SpiralError } from '../core/errors.js';
import { isNullAt } from './values.js';

/** `data` with the values themselves in place of a dictionary's indices. */
export function plainData(data: Data): Data {
  if (!DataType.isDictionary(data.type)) return data;
  const { dictionary } = data.type as Dictionary;
  const sources = columnSources(dictionary, [...(data.dictionary?.data ?? []), nullColumn(dictionary, 1)]);
  return gatherColumn(sources, indexedRows(data));
}

/**
 * The rows of a dictionary's chunks that the indices of `data` name; a null index names row 0 of one source more.
 *
 * @throws SpiralError `corrupt_file` for an index beyond the dictionary.
 */
export function indexedRows(data: Data): Ranges {
  const { length } = data;
  const chunks = data.dictionary?.data ?? [];
  const indices = data.values as ArrayLike<number | bigint>;
  const source = new Int32Array(length);
  const row = new Int32Array(length);
  for (let at = 0; at < length; at++) {
    if (isNullAt(data, at)) {
      source[at] = chunks.length;
      continue;
    }
    let index = Number(indices[at]);
    let chunk = 0;
    while (chunk < chunks.length && index >= chunks[chunk]!.length) index -= chunks[chunk++]!.length;
    if (index < 0 || chunk === chunks.length) throw beyond(data, at);
    source[at] = chunk;
    row[at] = index;
  }
  return rowRanges(source, row);
}

function beyond(data: Data, row: number): SpiralError {
  const index = (data.values as ArrayLike<number | bigint>)[row];
  return new SpiralError(
    'corrupt_file',
    `Index ${index} of a ${data.type} column, at row ${row} of its batch, lies beyond its dictionary.`,
    { details: { index: Number(index), row } },
  );
}

/** `rows` times the one value of `data`. */
export function repeated(data: Data, rows: number): Data {
  const at: Ranges = {
    count: rows,
    source: new Int32Array(rows),
    start: new Int32Array(rows),
    lengths: 1,
    total: rows,
  };
  return gatherColumn(columnSources(data.type, [data]), at);
}
