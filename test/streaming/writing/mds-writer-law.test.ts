import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { uniqueId } from '../../../src/core/random.js';
import { Spiral } from '../../../src/index.js';
import { openStore } from '../../../src/storage/open-store.js';
import { JSONWriter } from '../../../src/streaming/writing/json-writer.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import { XSVWriter } from '../../../src/streaming/writing/xsv-writer.js';
import { lawRuns } from '../../laws.js';
import { encodedValues } from './encoded-values.js';

const root = await mkdtemp(join(tmpdir(), 'spiral-mds-law-'));
const spiral = new Spiral({ overrides: { 'warehouse.uri': join(root, 'warehouse') } });
afterAll(async () => {
  await spiral.close();
  await rm(root, { recursive: true });
});

/** In memory: what reading and writing files adds, other tests show. */
const newFolder = (): string => `memory://${uniqueId('mds-')}`;

async function rowsOf(folder: string): Promise<Record<string, unknown>[]> {
  return (await spiral.scan(await spiral.files(folder, { format: 'mds' }))).toRows();
}

interface IndexedShard {
  readonly samples: number;
  readonly raw_data: { readonly bytes: number; readonly basename: string };
}

async function shardsOf(folder: string): Promise<IndexedShard[]> {
  return JSON.parse(Buffer.from(await openStore(folder).get('index.json')).toString()).shards;
}

const compressions = [null, 'br:1', 'bz2:1', 'gz:1', 'snappy', 'zstd:1', 'zstd:13'] as const;
const settings = fc.record({
  compression: fc.constantFrom(...compressions),
  hashes: fc.constantFrom([], ['xxh64'], ['md5', 'sha1', 'xxh3_128']),
  sizeLimit: fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 4000 })),
  maxWorkers: fc.integer({ min: 1, max: 4 }),
});
const seeded = { numRuns: lawRuns(40, 2000) };

describe('what a writer wrote', () => {
  it('is read to the values that were given, in every encoding, compression and size of shards', async () => {
    const sets = fc
      .subarray(
        encodedValues.map((_, at) => at),
        { minLength: 1, maxLength: 6 },
      )
      .chain((picked) => {
        const columns = Object.fromEntries(picked.map((at) => [`c${at}`, encodedValues[at]!.encoding]));
        const sample = fc.record(Object.fromEntries(picked.map((at) => [`c${at}`, encodedValues[at]!.value])));
        return fc.record({ columns: fc.constant(columns), samples: fc.array(sample, { maxLength: 30 }), settings });
      });
    await fc.assert(
      fc.asyncProperty(sets, async ({ columns, samples, settings }) => {
        const out = newFolder();
        await using writer = new MDSWriter({ out, columns, ...settings });
        for (const sample of samples) await writer.write(sample);
        expect(await writer.finish()).toMatchObject({ samples: samples.length });
        const rows = await rowsOf(out);
        expect(rows.length).toBe(samples.length);
        for (const [at, sample] of samples.entries()) {
          for (const [column, value] of Object.entries(sample)) {
            const { read } = encodedValues[Number(column.slice(1))]!;
            expect(rows[at]![column], column).toEqual(read(value as never));
          }
        }
        const shards = await shardsOf(out);
        for (const { samples: count, raw_data } of shards) {
          expect(count).toBeGreaterThan(0);
          if (count > 1 && settings.sizeLimit !== null) expect(raw_data.bytes).toBeLessThanOrEqual(settings.sizeLimit);
        }
      }),
      seeded,
    );
  });

  it('is read to the values that were given, in shards of text', async () => {
    const word = fc.string({ unit: 'grapheme', maxLength: 12 }).filter((text) => !/[|\r\n]/.test(text));
    const sample = fc.record({
      s: word,
      i: fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.maxSafeInteger()),
      f: fc.double(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(sample, { maxLength: 40 }),
        settings,
        async (isJson, samples, settings) => {
          const out = newFolder();
          const options = { out, columns: { s: 'str', i: 'int', f: 'float' }, newline: '\r\n', ...settings };
          await using writer = isJson ? new JSONWriter(options) : new XSVWriter({ ...options, separator: '||' });
          for (const row of samples) await writer.write(row);
          await writer.finish();
          const expected = samples.map(({ s, i, f }) => ({ f, i: BigInt(i), s }));
          expect(await rowsOf(out)).toEqual(expected);
        },
      ),
      seeded,
    );
  });

  it('is cut where MosaicML cuts it, but never into an empty shard', async () => {
    const out = join(root, 'cut');
    await using writer = new MDSWriter({ out, columns: { b: 'bytes' }, sizeLimit: 400 });
    const sizes = [1000, 10, 10, 10, 500, 10];
    for (const size of sizes) await writer.write({ b: new Uint8Array(size) });
    await writer.finish();
    const { shards } = JSON.parse(await readFile(join(out, 'index.json'), 'utf8')) as { shards: IndexedShard[] };
    expect(shards.map(({ samples }) => samples)).toEqual([1, 3, 1, 1]);
    for (const { raw_data } of shards) {
      expect((await readFile(join(out, raw_data.basename))).length).toBe(raw_data.bytes);
    }
    expect((await readdir(out)).filter((name) => name.startsWith('shard'))).toHaveLength(4);
  });
});
