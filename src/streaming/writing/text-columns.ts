import { numberText, plainText, type TextOf, wholeText } from '../../format/mds-text-encoder.js';
import { RefusedValue } from '../../format/refused-value.js';
import type { Sample } from './shard-layout.js';
import { sortedColumns, unknownEncoding } from './writer-columns.js';

/** A column of shards of text. */
export interface TextColumn {
  readonly name: string;
  readonly encoding: string;
  /** The text of a value, unquoted. @throws RefusedValue */
  readonly textOf: TextOf;
}

const encodings: Readonly<Record<string, TextOf>> = { str: plainText, int: wholeText, float: numberText };

/** The columns of a writer of `format`, sorted. @throws SpiralError `invalid_schema`, `unsupported_type`. */
export function textColumns(format: string, columns: unknown): TextColumn[] {
  return sortedColumns(columns).map(([name, encoding]) => {
    const textOf = Object.hasOwn(encodings, encoding) ? encodings[encoding] : undefined;
    if (textOf === undefined) throw unknownEncoding(format, name, encoding, 'str, int, float');
    return { name, encoding, textOf };
  });
}

/** The text of `sample` in `column`. @throws RefusedValue */
export function cellText({ name, textOf }: TextColumn, sample: Sample): string {
  const value = sample[name];
  if (value === undefined) throw new RefusedValue('a value in every sample', 'none', 'invalid_rows');
  return textOf(value);
}
