import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Table } from '../../src/client/table.js';
import type { SpiralError } from '../../src/core/errors.js';
import { isSpiralError } from '../../src/core/errors.js';
import { fileStore } from '../../src/storage/file-store.js';
import { lawRuns } from '../laws.js';
import { temporaryFolder } from '../storage/temporary-folder.js';
import { forged } from '../table/forged-entry.js';
import { newTable, refusal, spiralAt } from './spiral-at.js';

const rows = Array.from({ length: 40 }, (_, at) => ({
  id: BigInt(at),
  text: at % 3 === 0 ? null : `text ${at}`,
  meta: { size: at, deep: { flags: [true, false] } },
}));

async function filled(uri: string): Promise<Table> {
  await using spiral = spiralAt(uri);
  const table = await newTable(spiral);
  await table.write(rows, { batchRows: 16 });
  await table.write(rows.map(({ id, text }) => ({ id, text: `${text}!` })));
  return table;
}

const expected = rows.map((row) => ({ ...row, text: `${row.text}!` }));

async function read(uri: string, tableId: string): Promise<unknown[]> {
  await using spiral = spiralAt(uri);
  return await (await spiral.scan(await spiral.table(tableId))).toRows();
}

async function filesBelow(folder: string, prefix: string): Promise<string[]> {
  const store = fileStore(folder);
  const paths: string[] = [];
  for await (const { path } of store.list(prefix)) paths.push(path);
  await store.close();
  return paths;
}

/** Reads, and expects the very rows, or an error that names `file`. */
async function sound(folder: string, table: Table, file: string): Promise<SpiralError | undefined> {
  try {
    expect(await read(folder, table.id)).toEqual(expected);
    return undefined;
  } catch (error) {
    if (!isSpiralError(error)) throw error;
    expect(['corrupt_file', 'corrupt_log', 'unsupported']).toContain(error.code);
    expect(error.message).toContain(file);
    return error;
  }
}

describe('a damaged file of a table (law 22)', () => {
  it('gives the rows that were written or an error that names it, whatever byte was changed', async () => {
    await using folder = await temporaryFolder();
    const table = await filled(folder.path);
    const files = (await filesBelow(folder.path, `tables/${table.id}/`)).filter((path) => /\/(data|log)\//.test(path));
    expect(files.length).toBeGreaterThan(5);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...files),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (file, at, bits) => {
          const place = join(folder.path, file);
          const good = await readFile(place);
          const bad = Buffer.from(good);
          bad[at % bad.length]! ^= bits;
          await writeFile(place, bad);
          await sound(folder.path, table, file);
          await writeFile(place, good);
        },
      ),
      { numRuns: lawRuns(80, 5000), endOnFailure: true },
    );
    expect(await read(folder.path, table.id)).toEqual(expected);
  });

  it('is refused where it was cut short, is empty or is gone, unless newer files cover it', async () => {
    await using folder = await temporaryFolder();
    const table = await filled(folder.path);
    for (const file of await filesBelow(folder.path, `tables/${table.id}/`)) {
      const place = join(folder.path, file);
      const good = await readFile(place);
      const errors: (SpiralError | undefined)[] = [];
      for (const length of [0, 1, good.length >> 1, good.length - 1]) {
        await writeFile(place, good.subarray(0, length));
        errors.push(await sound(folder.path, table, file));
      }
      const covered = errors.every((error) => error === undefined);
      const refused = errors.every((error) => error !== undefined);
      expect(covered || refused, file).toBe(true);
      await rm(place);
      const error: unknown = await read(folder.path, table.id).catch((reason: unknown) => reason);
      // The last entry of a log is the one loss that nothing else tells of: its version never was.
      if (/log\/0*3$/.test(file)) expect(error).toEqual(rows);
      else if (!covered) expect(isSpiralError(error), file).toBe(true);
      await writeFile(place, good);
    }
  });

  it('is refused where it took the place of another', async () => {
    await using folder = await temporaryFolder();
    const table = await filled(folder.path);
    const files = await filesBelow(folder.path, `tables/${table.id}/data/`);
    for (const [at, file] of files.entries()) {
      const [a, b] = [join(folder.path, file), join(folder.path, files[(at + 1) % files.length]!)];
      await rename(a, `${a}.kept`);
      await rename(b, a);
      await rename(`${a}.kept`, b);
      expect(await refusal(read(folder.path, table.id))).toMatchObject({ code: 'corrupt_file' });
      await rename(a, `${a}.kept`);
      await rename(b, a);
      await rename(`${a}.kept`, b);
    }
    expect(await read(folder.path, table.id)).toEqual(expected);
  });

  it('is refused where it holds another table: rows, columns and types must be those of the log', async () => {
    await using folder = await temporaryFolder();
    const table = await filled(folder.path);
    const log = (await filesBelow(folder.path, `tables/${table.id}/log/`)).at(-1)!;
    const store = fileStore(folder.path);
    const { TableStore } = await import('../../src/table/table-store.js');
    const { subStore } = await import('../../src/storage/sub-store.js');
    const version = await new TableStore(subStore(store, `tables/${table.id}`), 't').latest();
    const fragment = version.fragments.at(-1)!;
    const files = fragment.files.map(({ path, bytes }) => ({ path, bytes, columns: [0, 1] }));
    const entry = (columns: object[], changes: object): Uint8Array =>
      forged({
        transaction: 'forged',
        time: version.time,
        operations: [{ kind: 'write', columns, fragments: [{ ...fragment, files, ...changes }] }],
      });
    const key = { path: ['id'], type: 'int64', id: 0 };
    const text = { path: ['text'], type: 'utf8', id: 1 };
    const key1 = fragment.batchKeys[0]!;
    await rm(join(folder.path, log));
    for (const [columns, changes] of [
      [[key, { ...text, path: ['other'], type: 'int32', id: 4 }], {}],
      [[key, text], { rows: 39, batchKeys: [key1] }],
      [[key, text], { files: [{ ...files[0], columns: [1, 0] }] }],
    ] as const) {
      await writeFile(join(folder.path, log), entry([...columns], changes));
      const error = await refusal(read(folder.path, table.id));
      expect(error.code).toBe('corrupt_file');
    }
    await writeFile(join(folder.path, log), entry([key, text], { files: [{ ...files[0], path: '../../x' }] }));
    expect(await refusal(read(folder.path, table.id))).toMatchObject({ code: 'path_outside_root' });
    await store.close();
  });

  it.each(['{', 'null', '[]', '{"id":5}', ''])('that holds %j in place of a record is refused', async (text) => {
    await using folder = await temporaryFolder();
    const table = await filled(folder.path);
    await writeFile(join(folder.path, 'tables', table.id, 'table'), text);
    expect(await refusal(read(folder.path, table.id))).toMatchObject({ code: 'corrupt_log' });
  });
});
