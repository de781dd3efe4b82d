import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { ArrowFile } from '../../src/format/arrow-file.js';
import { compressions } from '../../src/format/codec.js';
import { everyBuffer } from './every-buffer.js';
import { allValues, fileBytes, path, storeOf } from './stored-file.js';

/** Files of each version of the index, written once: `every-buffer-<version>.<compression>.arrow`, and what they hold as `every-buffer.json`. */
const golden = (name: string): Buffer => readFileSync(new URL(`../goldens/format/${name}`, import.meta.url));

/** Values as JSON: bigint, dates, bytes and typed arrays each under a name of their own. */
function asJson(values: unknown): string {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'bigint') return { bigint: String(value) };
    if (value instanceof Date) return { date: value.toISOString() };
    if (ArrayBuffer.isView(value)) return { [value.constructor.name]: Array.from(value as Uint8Array) };
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  };
  return `${JSON.stringify(plain(values), undefined, 1)}\n`;
}

const versions = [1, 2].flatMap((version) => compressions.map((compression) => [version, compression] as const));

test.each(versions)(
  'a file with an index of version %i reads as ever, compression %s',
  async (version, compression) => {
    const bytes = golden(`every-buffer-${version}.${compression}.arrow`);
    const file = await ArrowFile.open(await storeOf(bytes), path, bytes.length);
    expect(file.index.compression).toBe(compression);
    expect(asJson(await allValues(file))).toBe(golden('every-buffer.json').toString());
  },
);

test('an uncompressed file is written byte for byte as ever', async () => {
  // A change here is a change of the format: old files must still be read, so add goldens and keep these.
  const { schema, batches } = everyBuffer();
  const { bytes } = await fileBytes(schema, batches);
  expect(Buffer.compare(bytes, golden('every-buffer-2.none.arrow'))).toBe(0);
});
