import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { checksum } from '../../src/arrow/checksum.js';
import { toSchema } from '../../src/arrow/schema.js';
import { isSpiralError } from '../../src/core/errors.js';
import { ArrowFile } from '../../src/format/arrow-file.js';
import type { FileIndex } from '../../src/format/arrow-index.js';
import { readRows } from '../../src/format/arrow-read.js';
import { compressions } from '../../src/format/codec.js';
import type { StoredBatch } from '../../src/format/stored-batches.js';
import { lawRuns } from '../laws.js';
import { everyBuffer } from './every-buffer.js';
import { withIndex, withIndexText } from './forged-file.js';
import { batchOf, fileBytes, path, refusal, request, storeOf } from './stored-file.js';

const source = everyBuffer();
const hostile = [-1, 0, 0.5, 1, 7, 2 ** 31 - 1, 2 ** 31, 2 ** 40, 2 ** 53, 1e300, Number.NaN, Number.POSITIVE_INFINITY];
const fields = ['nodes', 'offsets', 'lengths', 'bodyOffset', 'rows'] as const;

function plain({ rows, bodyOffset, nodes, offsets, lengths, checksums }: StoredBatch): StoredBatch {
  return { rows, bodyOffset, nodes, offsets, lengths, checksums };
}

/** `batch` with the number `at` of `field` replaced. */
function changed(batch: StoredBatch, field: (typeof fields)[number], at: number, value: number): StoredBatch {
  if (field === 'bodyOffset' || field === 'rows') return { ...plain(batch), [field]: value };
  const numbers = batch[field].slice();
  numbers[at % numbers.length] = value;
  return { ...plain(batch), [field]: numbers };
}

/** Opens and reads everything without believing checksums, whole and in parts; gives the error there was. */
async function readAll(bytes: Uint8Array): Promise<unknown> {
  try {
    const file = await ArrowFile.open(await storeOf(bytes), path);
    for (const [batch, { rows }] of file.index.batches.entries()) {
      for (const [from, to] of [
        [0, rows],
        [rows >> 1, Math.min(rows, (rows >> 1) + 2)],
      ] as const) {
        await readRows(file, batch, from, to, request(file, { verify: 'never' }));
      }
    }
  } catch (error) {
    return error;
  }
  return undefined;
}

describe.each(compressions)('a footer that was forged, checksum and all, with compression %s', (compression) => {
  const written = fileBytes(source.schema, source.batches, compression);

  test('cannot make a read crash, hang or take memory beyond the file', async () => {
    const { bytes } = await written;
    const edit = fc.tuple(fc.constantFrom(...fields), fc.nat(), fc.constantFrom(...hostile), fc.nat(2));
    const before = process.memoryUsage().rss;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const forged = withIndex(bytes, (index) => {
          const batches = [...index.batches];
          const dictionaries = new Map(index.dictionaries);
          for (const [field, at, value, which] of edits) {
            if (which < 2) batches[which] = changed(batches[which]!, field, at, value);
            else for (const [column, batch] of dictionaries) dictionaries.set(column, changed(batch, field, at, value));
          }
          return { ...index, batches, dictionaries };
        });
        const error = await readAll(forged);
        if (error === undefined) return;
        if (!isSpiralError(error, 'corrupt_file')) throw error;
        expect(error.message).toContain(path);
      }),
      { numRuns: lawRuns(400, 20_000) },
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * 2 ** 20);
  });
});

describe('an index that does not fit its file is refused', () => {
  const cases: readonly [string, (index: FileIndex) => FileIndex][] = [
    ['an unknown compression', (index) => ({ ...index, compression: 'rar' as never })],
    ['no zones', (index) => ({ ...index, zones: [] })],
    ['zones of other batches', (index) => ({ ...index, zones: index.zones.map((zones) => zones.slice(1)) })],
    ['a negative count of nulls', (index) => zoned(index, -1)],
    ['a dictionary of a plain column', (index) => ({ ...index, dictionaries: new Map([[0, index.batches[0]!]]) })],
    ['a dictionary of no column', (index) => ({ ...index, dictionaries: new Map([[99, index.batches[0]!]]) })],
    ['too few checksums', (index) => each(index, { checksums: new Uint32Array(1) })],
    ['too few nodes', (index) => each(index, { nodes: index.batches[0]!.nodes.slice(0, -2) })],
    ['rows that are not its nodes', (index) => only(index, { rows: 12 })],
    ['a buffer beyond the file', (index) => only(index, { bodyOffset: 1e6 })],
    ['buffers over each other', (index) => only(index, { offsets: index.batches[0]!.offsets.slice().fill(0) })],
  ];
  test.each(cases)('%s', async (_, change) => {
    const { bytes } = await fileBytes(source.schema, source.batches);
    const error = await refusal(ArrowFile.open(await storeOf(withIndex(bytes, change)), path));
    expect([error.code, error.message.includes(path)]).toEqual(['corrupt_file', true]);
  });

  const zoned = (index: FileIndex, nulls: number): FileIndex => ({
    ...index,
    zones: index.zones.map((zones) => zones.map((zone) => ({ ...zone, nulls }))),
  });
  const only = (index: FileIndex, change: Partial<StoredBatch>): FileIndex => ({
    ...index,
    batches: [{ ...plain(index.batches[0]!), ...change }, ...index.batches.slice(1)],
  });
  const each = (index: FileIndex, change: Partial<StoredBatch>): FileIndex => ({
    ...index,
    batches: index.batches.map((batch) => ({ ...plain(batch), ...change })),
  });
});

test('an index that is missing, unreadable or newer is refused', async () => {
  const { bytes } = await fileBytes(source.schema, source.batches);
  const packed = (value: unknown): string => Buffer.from(new Packr().pack(value)).toString('base64');
  for (const [text, code] of [
    [undefined, 'corrupt_file'],
    ['', 'corrupt_file'],
    [packed(null), 'corrupt_file'],
    [packed({ v: 1, b: 7 }), 'corrupt_file'],
    [Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff).toString('base64'), 'corrupt_file'],
    [packed({ v: 2, b: 7 }), 'corrupt_file'],
    [packed({ v: 3 }), 'unsupported'],
  ] as const) {
    const forged = withIndexText(bytes, () => text);
    const error = await refusal(ArrowFile.open(await storeOf(forged), path));
    expect([error.code, error.message.includes(path)]).toEqual([code, true]);
  }
});

test.each(['lz4', 'zstd'] as const)(
  '%s: a size that the rows do not need is refused before anything is decompressed',
  async (compression) => {
    const schema = toSchema({ n: 'int64', t: 'utf8' }, 'the test');
    const values = Array.from({ length: 1000 }, (_, row) => BigInt(row % 7));
    const batch = batchOf(schema, [values, values.map((value) => `text ${value}`)]);
    const { bytes } = await fileBytes(schema, [batch], compression);
    for (const [buffer, column] of [
      [1, 'n'],
      [3, 't'],
      [4, 't'],
    ] as const) {
      for (const size of [2n ** 40n, 2n ** 31n, 100_000n, -2n, 8n]) {
        const resized = bytes.slice();
        const forged = withIndex(resized, (index) => {
          const [stored] = index.batches;
          const at = stored!.bodyOffset + stored!.offsets[buffer]!;
          new DataView(resized.buffer).setBigInt64(at, size, true);
          const checksums = stored!.checksums.slice();
          checksums[buffer] = checksum(resized.subarray(at, at + stored!.lengths[buffer]!));
          return { ...index, batches: [{ ...plain(stored!), checksums }] };
        });
        const file = await ArrowFile.open(await storeOf(forged), path);
        const error = await refusal(readRows(file, 0, 0, 1000, request(file, { columns: [column === 'n' ? 0 : 1] })));
        expect(error.message).toContain(`column '${column}' of batch 0, found a compressed one of ${size}`);
      }
    }
  },
);
