import type { DataType, Schema } from 'apache-arrow';
import { fixedWidth, isFixedSize, layoutCounts, layoutOf } from '../arrow/layout.js';
import type { OpenSource } from './source.js';

/** What rows of a source take in memory. */
export interface RowBytes {
  readonly bytes: number;
  /** Whether every row takes as much; else it is an average. */
  readonly exact: boolean;
  /** Buffers of a batch: each may be padded. */
  readonly buffers: number;
}

/** Bytes of a value of unknown length where the source does not say what its rows take. */
const unknownBytes = 16;

/**
 * Bytes of a row with the columns of `schema`. Columns of fixed size are counted; where one varies in length the average
 * of the stored rows stands for all, which counts columns that share the files but are not selected.
 */
export function rowBytes({ schema, bytesPerRow }: Pick<OpenSource, 'schema' | 'bytesPerRow'>): RowBytes {
  const types = schema.fields.map((field) => field.type as DataType);
  const least = types.reduce((sum, type) => sum + leastBytes(type), 0);
  const buffers = types.reduce((sum, type) => sum + layoutCounts(type).buffers, 0);
  if (types.every(isFixedSize)) return { bytes: least, exact: true, buffers };
  return { bytes: Math.max(least, bytesPerRow ?? least + unknownBytes * varying(schema)), exact: false, buffers };
}

/** Bytes of a value of `type` with its validity and offsets, values of varying length empty. */
function leastBytes(type: DataType): number {
  const layout = layoutOf(type);
  const validity = 1 / 8;
  switch (layout.kind) {
    case 'fixed':
      return validity + fixedWidth(layout);
    case 'bits':
      return validity + 1 / 8;
    case 'bytes':
    case 'list':
      return validity + (layout.wide ? 8 : 4);
    case 'fixedList':
      return validity + layout.size * leastBytes(type.children[0]!.type);
    case 'struct':
      return validity + type.children.reduce((sum, field) => sum + leastBytes(field.type), 0);
  }
}

function varying(schema: Schema): number {
  return schema.fields.filter((field) => !isFixedSize(field.type)).length;
}
