import { SpiralError, shown } from '../../core/errors.js';
import { compareCodePoints } from '../../format/python-json.js';

/** The columns that a writer was given, sorted by code point as shards have them. @throws SpiralError `invalid_schema`. */
export function sortedColumns(columns: unknown): (readonly [name: string, encoding: string])[] {
  if (typeof columns !== 'object' || columns === null || Array.isArray(columns) || Object.keys(columns).length === 0) {
    throw invalid(
      "`columns` to be an object with the encoding of each column, such as { id: 'int', text: 'str' }",
      shown(columns),
    );
  }
  const entries = Object.entries(columns as Readonly<Record<string, unknown>>);
  for (const [name, encoding] of entries) {
    if (name === '' || /\p{Surrogate}/u.test(name))
      throw invalid('names of whole code points for columns', shown(name));
    if (typeof encoding !== 'string') throw invalid(`the name of an encoding for column '${name}'`, shown(encoding));
  }
  return (entries as [string, string][]).sort(([a], [b]) => compareCodePoints(a, b));
}

/** The error of an encoding that `format` does not have. */
export function unknownEncoding(format: string, column: string, found: string, known: string): SpiralError {
  const why =
    found === 'pkl'
      ? "'pkl', which is written by Python alone, and read by nothing that is careful: take 'json' or 'ndarray'"
      : shown(found);
  return new SpiralError(
    'unsupported_type',
    `Expected an encoding of ${format} shards for column '${column}' (${known}), got ${why}.`,
    { details: { column, found } },
  );
}

function invalid(expected: string, found: string): SpiralError {
  return new SpiralError('invalid_schema', `Expected ${expected}, got ${found}.`, { details: { found } });
}
