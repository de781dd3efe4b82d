import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { schemaWords } from '../../src/arrow/schema.js';
import { isSpiralError } from '../../src/core/errors.js';
import { csvFormat } from '../../src/format/csv-file.js';
import { jsonlFormat } from '../../src/format/jsonl-file.js';
import { allRows, openText } from './plain-text.js';

/** A case is two files: nasty text, and as JSON the columns and rows, or the error, that reading it gives. */
const folder = new URL('../goldens/format/text/', import.meta.url);
const cases = readdirSync(folder).filter((name) => !name.endsWith('.json'));

function asJson(value: unknown): unknown {
  if (typeof value === 'bigint') return { int64: String(value) };
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) return { float64: String(value) };
  if (ArrayBuffer.isView(value)) return Array.from(value as Float64Array, asJson);
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, asJson(inner)]));
}

async function readingOf(name: string): Promise<unknown> {
  const format = name.endsWith('.jsonl') ? jsonlFormat() : csvFormat();
  try {
    const file = await openText(format, readFileSync(new URL(name, folder)), {}, name);
    return { schema: Object.fromEntries(schemaWords(file.schema)), rows: (await allRows(file)).map(asJson) };
  } catch (error) {
    if (!isSpiralError(error)) throw error;
    const { row, byte, column } = error.details;
    const message = error.message.replaceAll(/memory:\/\/[^/]+\//g, '');
    return { error: error.code, row, byte, column, message };
  }
}

test.each(cases)('%s', async (name) => {
  const reading = `${JSON.stringify(await readingOf(name), undefined, 1)}\n`;
  expect(reading).toBe(readFileSync(new URL(`${name}.json`, folder), 'utf8'));
});
