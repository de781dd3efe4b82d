import type { DataType } from 'apache-arrow';
import { gatherColumn } from '../arrow/gather.js';
import { rowRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import { columnValues, dataOf, trueBits, type Values } from './values.js';

/** The values of `yes` where `truth` is true, elsewhere those of `no`; both of `type`. */
export function chosen(type: DataType, truth: Uint8Array, yes: Values, no: Values): Values {
  const rows = truth.length;
  const source = new Int32Array(rows);
  const row = new Int32Array(rows);
  for (let at = 0; at < rows; at++) {
    const side = truth[at] === trueBits ? yes : no;
    source[at] = side === yes ? 0 : 1;
    row[at] = side.constant ? 0 : at;
  }
  const sources = columnSources(type, [dataOf(yes), dataOf(no)]);
  return columnValues(gatherColumn(sources, rowRanges(source, row)), yes.constant && no.constant);
}
