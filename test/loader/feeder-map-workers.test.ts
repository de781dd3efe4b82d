import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Spiral } from '../../src/client/spiral.js';
import { SpiralDataLoader } from '../../src/loader/data-loader.js';
import type { LoaderSource } from '../../src/loader/source.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { inline, mapWorkerLaws, module, shuffled, take, useMarks } from './map-worker-laws.js';
import type { Told } from './transforms/samples.js';

const rows = 600;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let spiral: Spiral;
let table: LoaderSource;

beforeAll(async () => {
  folder = await temporaryFolder();
  spiral = new Spiral({ config: { 'warehouse.uri': folder.path } });
  const project = await spiral.createProject('map');
  const written = await project.createTable('rows', { keySchema: { row: 'int32' } });
  for (let from = 0; from < rows; from += 200) {
    await written.write(
      Array.from({ length: 200 }, (_, at) => ({
        row: from + at,
        shard: from / 200,
        text: at % 7 === 0 ? null : `t${at}`,
      })),
      { batchRows: 32 },
    );
  }
  table = await spiral.scan(written);
});
afterAll(async () => {
  await spiral.close();
  await folder[Symbol.asyncDispose]();
});

mapWorkerLaws('in the feeder', () => table, 0);

describe('a feeder that its own transform ends', () => {
  useMarks();

  test('is started again, and its steps go on', async () => {
    await using loader = new SpiralDataLoader<Told>(table, {
      ...shuffled,
      mapWorkers: 0,
      transformFn: module('faults', 'dieOnce'),
    });
    expect(await take(loader)).toStrictEqual(await inline(table, shuffled));
  });
});
