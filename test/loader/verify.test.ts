import { open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordBatch } from 'apache-arrow';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Scan } from '../../src/client/scan.js';
import type { ClientSettings } from '../../src/client/setting-keys.js';
import { Spiral } from '../../src/client/spiral.js';
import type { Verify } from '../../src/core/verify.js';
import type { SpiralDataLoader } from '../../src/loader/data-loader.js';
import { temporaryFolder } from '../storage/temporary-folder.js';

const rows = 200;
/** What stands in every row, found again in the file by its bytes; and with its lowest bit flipped. */
const value = 0x5a1dc0de;
const wrong = value ^ 1;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let stateJson: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  await using spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
  const table = await (await spiral.createProject('p')).createTable('rows', { keySchema: { id: 'int32' } });
  const ids = Int32Array.from({ length: rows }, (_, at) => at);
  await table.write({ id: ids, n: new Int32Array(rows).fill(value) }, { batchRows: 50 });
  stateJson = (await spiral.scan(table)).stateJson();
});
afterEach(() => folder[Symbol.asyncDispose]());

/** Flips the lowest bit of the first value, in place. */
async function flip(): Promise<string> {
  const pattern = Buffer.from(Int32Array.of(value, value).buffer);
  for (const name of await readdir(folder.path, { recursive: true })) {
    const path = join(folder.path, name);
    const at = await readFile(path).then(
      (bytes) => bytes.indexOf(pattern),
      () => -1,
    );
    if (at < 0) continue;
    await using file = await open(path, 'r+');
    await file.write(Uint8Array.of(wrong & 0xff), 0, 1, at);
    return name;
  }
  throw new Error('Expected the values in a file.');
}

/** The scan of a client of its own, which has verified nothing. */
async function scanAnew(config: Partial<ClientSettings> = {}): Promise<Scan> {
  return new Spiral({ config: { 'warehouse.uri': folder.path, ...config } }).resumeScan(stateJson);
}

async function numbers(batches: AsyncIterable<RecordBatch>): Promise<number[]> {
  const all: number[] = [];
  for await (const batch of batches) all.push(...(batch.getChild('n')!.toArray() as Int32Array));
  return all;
}

const good = new Array<number>(rows).fill(value);
const bad = [wrong, ...good.slice(1)];
const inOrder = { shuffleShards: false, batchSize: 20 };

describe.each([true, false])('a loader (feeder: %s)', (feeder) => {
  const loaderOf = (scan: Scan, verify?: Verify): SpiralDataLoader =>
    scan.toDataLoader({ ...inOrder, feeder, ...(verify === undefined ? {} : { verify }) });

  test("refuses a byte that was flipped before, naming the place; with 'never' it gives what is there", async () => {
    const name = await flip();
    for (const verify of ['first', 'always', undefined] as const) {
      await using loader = loaderOf(await scanAnew(), verify);
      const error = await numbers(loader).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'corrupt_file', message: expect.stringContaining("column 'n' of batch 0") });
      expect((error as Error).message).toContain(name);
    }
    await using loader = loaderOf(await scanAnew(), 'never');
    expect(await numbers(loader)).toEqual(bad);
  });

  test("sees a byte that is flipped after its first read with 'always', and with 'first' does not", async () => {
    await using first = loaderOf(await scanAnew(), 'first');
    await using always = loaderOf(await scanAnew(), 'always');
    expect(await numbers(first)).toEqual(good);
    expect(await numbers(always)).toEqual(good);
    await flip();
    expect(await numbers(first)).toEqual(bad);
    await expect(numbers(always)).rejects.toMatchObject({ code: 'corrupt_file' });
  });
});

test('the option wins over the client’s setting, which holds without it', async () => {
  await flip();
  const scan = await scanAnew({ verify: 'never' });
  await using lax = scan.toDataLoader(inOrder);
  expect(await numbers(lax)).toEqual(bad);
  await using strict = scan.toDataLoader({ ...inOrder, verify: 'always' });
  await expect(numbers(strict)).rejects.toMatchObject({ code: 'corrupt_file' });
});

test('it is no part of a state, and a resume may have another', async () => {
  const scan = await scanAnew();
  await using loader = scan.toDataLoader({ ...inOrder, verify: 'never' });
  await using plain = scan.toDataLoader(inOrder);
  expect(loader.stateDict()).toEqual(plain.stateDict());
  for await (const _ of loader) break;
  await flip();
  await using resumed = (await scanAnew()).resumeDataLoader(loader.stateDict(), { verify: 'always' });
  await expect(numbers(resumed)).rejects.toMatchObject({ code: 'corrupt_file' });
});

test('a scan takes it too', async () => {
  const scan = await scanAnew();
  expect(await numbers(scan.toRecordBatches())).toEqual(good);
  await flip();
  expect(await numbers(scan.toRecordBatches({ verify: 'first' }))).toEqual(bad);
  await expect(numbers(scan.toRecordBatches({ verify: 'always' }))).rejects.toMatchObject({ code: 'corrupt_file' });
  expect((await (await scanAnew()).toRows({ verify: 'never' }))[0]).toMatchObject({ n: wrong });
  await expect((await scanAnew()).toTable()).rejects.toMatchObject({ code: 'corrupt_file' });
});

test('other words are refused', async () => {
  const scan = await scanAnew();
  const refused = expect.objectContaining({ code: 'invalid_argument', message: expect.stringContaining('`verify`') });
  expect(() => scan.toDataLoader({ verify: 'sometimes' as never })).toThrowError(refused);
  expect(() => scan.toRecordBatches({ verify: true as never })).toThrowError(refused);
});
