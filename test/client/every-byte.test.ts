import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSpiralError, type SpiralError } from '../../src/core/errors.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { vacuumTable } from '../../src/table/vacuum.js';
import { lawRuns } from '../laws.js';
import { compactTo, rowsAt, UpkeepWarehouse } from './upkeep-story.js';
import { withProject } from './warehouse-over.js';

type Row = Record<string, unknown>;

const rows = (from: number, to: number, more: Row): Row[] =>
  Array.from({ length: to - from }, (_, at) => ({ id: BigInt(from + at), ...more }));

/**
 * A table with a file of every kind: log, hint, checkpoints, a tagged version that vacuum kept as a file, tags, the floor,
 * fragments with and without a struct's file of their own, deletions, and a compaction's.
 */
async function filled(): Promise<{ store: ObjectStore; paths: readonly string[] }> {
  const store = await withProject(memoryStore(), 'p');
  const warehouse = new UpkeepWarehouse(store);
  const table = await warehouse.project('p').createTable('t', { keySchema: { id: 'int32' } });
  const opened = await warehouse.openTable(table.id);
  await table.write([1, 2, 3].map((id) => ({ id, text: `row ${id}`, s: { x: id / 2 } })));
  await table.tag('first');
  await table.write([2, 3, 4].map((id) => ({ id, text: `newer ${id}` })));
  await table.deleteKeys({ id: [3] });
  await compactTo(opened, 2 ** 27);
  await vacuumTable(opened, { retainMs: 0, graceMs: -1000 });
  await table.write(
    [2, 4].map((id) => ({ id, s: { x: null } })),
    { compression: 'lz4' },
  );
  await table.tag('second');
  await table.write(rows(3, 9, {}).map(({ id }) => ({ id: Number(id), text: null })));
  await table.deleteKeys({ id: [1, 7] });
  await table.dropColumns(['s.x']);
  await table.write([{ id: 2, s: { x: 5 } }]);
  const paths: string[] = [];
  for await (const { path } of store.list('')) paths.push(path);
  return { store, paths };
}

/** Whatever is stored is read: the newest rows, those of the tagged versions, the tags, and the history. */
async function everything(store: ObjectStore): Promise<string> {
  const warehouse = new UpkeepWarehouse(store);
  const table = await warehouse.project('p').table('t');
  const { version } = await (await warehouse.openTable(table.id)).latest();
  const seen: unknown[] = [await warehouse.rows(table), version];
  const tags = await table.tags();
  for (const tag of tags) seen.push([tag.name, tag.version, tag.time, await rowsAt(warehouse, table, tag.version)]);
  seen.push((await table.history()).map(({ version: of, time, operations }) => [of, time, operations]));
  return JSON.stringify(seen);
}

/** `base` with other bytes at one path. */
async function changed(
  base: ObjectStore,
  paths: readonly string[],
  at: string,
  bytes: Uint8Array,
): Promise<ObjectStore> {
  const store = memoryStore();
  for (const path of paths) await store.put(path, path === at ? bytes : await base.get(path));
  return store;
}

const kinds: readonly (readonly [string, RegExp])[] = [
  ['log', /\/log\/\d+$/],
  ['hint', /\/log\/hint$/],
  ['checkpoint', /\/checkpoints\//],
  ['kept version', /\/kept\//],
  ['tags and floor', /\/upkeep\//],
  ['data', /\/data\//],
  ['table record', /\/table$/],
  ['catalog', /\/catalog\//],
  ['project record', /\/project$/],
];

const codes = ['corrupt_file', 'corrupt_log', 'unsupported'];

/** What may be lost without a trace, by `docs/format.md`: it only spares work. */
const spares = /\/(hint|checkpoints\/\d+)$/;

describe('a table of which any byte was changed (law 22)', () => {
  it('gives what was written, or an error that names the file', { timeout: 1_800_000 }, async () => {
    const { store, paths } = await filled();
    const expected = await everything(store);
    for (const [kind, pattern] of kinds)
      expect(paths.filter((path) => pattern.test(path)).length, kind).toBeGreaterThan(0);
    const check = async (path: string, at: number, bits: number): Promise<void> => {
      const bytes = Uint8Array.from(await store.get(path));
      bytes[at]! ^= bits;
      const found = await everything(await changed(store, paths, path, bytes)).catch((error: unknown) => error);
      const where = `${path}, byte ${at} ^ ${bits}`;
      if (typeof found === 'string') {
        expect(found, where).toBe(expected);
        return;
      }
      expect(isSpiralError(found) && codes.includes(found.code), `${where}: ${String(found)}`).toBe(true);
      expect((found as SpiralError).message, where).toContain(path.split('/').slice(-2).join('/'));
      expect(spares.test(path), `${where}: ${String(found)}`).toBe(false);
    };
    if (lawRuns(0, 1) === 1) {
      for (const path of paths) {
        const { length } = await store.get(path);
        for (let at = 0; at < length; at++) await check(path, at, 1 + ((at * 37) % 255));
      }
      return;
    }
    for (const [, pattern] of kinds) {
      const own = paths.filter((path) => pattern.test(path));
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(...own),
          fc.nat(),
          fc.integer({ min: 1, max: 255 }),
          async (path, place, bits) => {
            const { length } = await store.get(path);
            if (length > 0) await check(path, place % length, bits);
          },
        ),
        { numRuns: 8, endOnFailure: true },
      );
    }
  });
});
