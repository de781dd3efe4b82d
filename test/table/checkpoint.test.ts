import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/table/checkpoint.js';
import { encodeFrame } from '../../src/table/frame.js';
import type { ColumnRef, WriteOperation } from '../../src/table/operation.js';
import { packFragments } from '../../src/table/packed-fragments.js';
import { TableStore } from '../../src/table/table-store.js';
import { vacuumTable } from '../../src/table/vacuum.js';
import { newColumnId, type TableVersion } from '../../src/table/version.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { lawRuns } from '../laws.js';

const keys: ColumnRef[] = [{ path: ['id'], type: 'int64', id: 0 }];
const every = 4;

/** A write of two rows behind those of lower numbers; its files are never read here. */
function writeOf(number: number): WriteOperation {
  const key = (row: number): Uint8Array => Uint8Array.of(0x80, 0, 0, 0, 0, number >> 8, number & 255, row);
  const columns = [...keys, { path: ['s', `c${number % 3}`], type: 'utf8', id: newColumnId }];
  const files = [
    { path: `data/${number}.arrow`, bytes: number + 1, columns: [0] },
    { path: `data/${number}-s.arrow`, bytes: 2 ** 40 + number, columns: [1] },
  ];
  const fragment = {
    rows: 2,
    batchRows: 1,
    keyMin: key(1),
    keyMax: key(2),
    batchKeys: [key(1), key(2)],
    keyDigest: new Uint8Array(32).fill(number),
    files,
  };
  return { kind: 'write', columns, fragments: [fragment] };
}

const opened = (store: ObjectStore): TableStore => new TableStore(store, 't', { checkpointEvery: every });

/** A table of `count` versions, and each of them as it was when it was made. */
async function tableOf(count: number): Promise<{ store: ObjectStore; versions: TableVersion[] }> {
  const store = memoryStore();
  await TableStore.create(store, { kind: 'create', tableId: 't', keys });
  const table = opened(store);
  const versions = [await table.latest()];
  for (let number = 2; number <= count; number++) versions.push(await table.commit([writeOf(number)]));
  return { store, versions };
}

/** A version as plain data, whatever its fragments are made of. */
function plain(version: TableVersion): unknown {
  const fragments = version.fragments.map((of) => ({
    id: [of.version, of.commit, of.ordinal],
    rows: [of.rows, of.batchRows],
    keys: [of.keyMin, of.keyMax, of.keyDigest, ...of.batchKeys].map((key) => Buffer.from(key).toString('hex')),
    files: of.files.map(({ path, bytes, columns }) => ({ path, bytes, columns: [...columns] })),
  }));
  return {
    ...version,
    columns: version.columns.map(({ id, path, type }) => [id, path, String(type)]),
    keys: 0,
    fragments,
  };
}

const place = (folder: string, version: number): string => `${folder}/${String(version).padStart(20, '0')}`;

describe('a checkpoint', () => {
  it('holds the very version, however many fragments it has', async () => {
    const { versions } = await tableOf(30);
    for (const version of versions) {
      expect(plain(decodeCheckpoint(encodeCheckpoint(version)))).toEqual(plain(version));
      const twice = encodeCheckpoint(decodeCheckpoint(encodeCheckpoint(version)));
      expect(Buffer.compare(twice, encodeCheckpoint(version))).toBe(0);
    }
  });

  it('spares reading the log: opening lists nothing, and reads no more than the entries behind it', async () => {
    const { store, versions } = await tableOf(every * 20 + 3);
    const counted = faultStore(store);
    expect(plain(await opened(counted).latest())).toEqual(plain(versions.at(-1)!));
    expect(counted.log.filter(({ op }) => op === 'list')).toEqual([]);
    const read = counted.log.filter(({ op, path }) => op === 'get' && path.startsWith('log/0'));
    // The three behind the checkpoint, and four that are not there: looked for side by side, twice as many each time.
    expect(read).toHaveLength(7);
    expect(counted.operations).toBeLessThan(25);
  });

  it('spares it for older versions too', async () => {
    const count = every * 40;
    const { store, versions } = await tableOf(count);
    const counted = faultStore(store);
    const table = opened(counted);
    await table.latest();
    for (const { version, time } of versions.filter((_, at) => at % 9 === 4 || at % every === 0)) {
      const before = counted.operations;
      expect(plain(await table.at(version))).toEqual(plain(versions[version - 1]!));
      expect((await table.asof(time)).version).toBe(version);
      // Of those long gone by every sixteenth is kept.
      expect(counted.operations - before).toBeLessThan(every * 16 + 50);
    }
    const kept: string[] = [];
    for await (const { path } of store.list('checkpoints/')) kept.push(path);
    expect(kept).toEqual([64, 128, 156, 160].map((version) => place('checkpoints', version)));
  });

  it('is not missed where it is lost: an older one serves, or the log', async () => {
    const { store, versions } = await tableOf(every * 9 + 1);
    const newest = plain(versions.at(-1)!);
    const checkpoints: string[] = [];
    for await (const { path } of store.list('checkpoints/')) checkpoints.push(path);
    expect(checkpoints.length).toBeGreaterThan(1);
    for (const path of checkpoints.reverse()) {
      await store.delete(path);
      expect(plain(await opened(store).latest())).toEqual(newest);
      await store.delete('log/hint');
      expect(plain(await opened(store).latest())).toEqual(newest);
    }
  });

  it('that is damaged in any byte or cut short is passed over, as long as the log is there (law 22)', async () => {
    const { store, versions } = await tableOf(every * 2 + 1);
    const newest = plain(versions.at(-1)!);
    const path = place('checkpoints', every * 2);
    const good = await store.get(path);
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice();
      bad[at]! ^= 1 << (at % 8);
      expect(() => decodeCheckpoint(bad)).toThrow(expect.objectContaining({ code: 'corrupt_log' }));
      if (at % lawRuns(20, 1) !== 0) continue;
      for (const bytes of [bad, good.slice(0, at)]) {
        await store.put(path, bytes);
        expect(plain(await opened(store).latest())).toEqual(newest);
      }
    }
  });

  it('that stands for entries that are gone and is damaged is named, whatever byte it is', async () => {
    const { store, versions } = await tableOf(every + 2);
    const newest = plain(versions.at(-1)!);
    await vacuumTable(opened(store), { retainMs: 0, graceMs: -1000 });
    const path = place('kept', every + 2);
    const good = await store.get(path);
    for (let at = 0; at < good.length; at++) {
      const bad = good.slice();
      bad[at]! ^= 1 << (at % 8);
      await store.put(path, bad);
      const error: unknown = await opened(store)
        .latest()
        .catch((reason: unknown) => reason);
      expect(isSpiralError(error, 'corrupt_log') && error.message.includes(`${store.uri}/${path}`)).toBe(true);
    }
    await store.put(path, good);
    await store.delete('log/hint');
    expect(plain(await opened(store).latest())).toEqual(newest);
    await store.delete(path);
    await expect(opened(store).latest()).rejects.toMatchObject({ code: 'corrupt_log' });
  });

  it('with a good checksum and any content is read or refused', async () => {
    const { versions } = await tableOf(6);
    const frame = { mark: 0x434c5053, layout: 1, what: 'a checkpoint' };
    const { columns, keys: _, fragments, ...rest } = versions.at(-1)!;
    const sound = {
      ...rest,
      keyCount: 1,
      columns: columns.map(({ id, path }) => ({ id, path, type: id === 0 ? 'int64' : 'utf8' })),
      fragments: packFragments(fragments),
    };
    expect(decodeCheckpoint(encodeFrame(frame, sound)).version).toBe(6);
    const names = [...Object.keys(sound), ...Object.keys(sound.fragments).map((name) => `fragments.${name}`)];
    await fc.assert(
      fc.property(fc.constantFrom(...names), fc.anything({ withTypedArray: true }), (name, value) => {
        const [outer, inner] = name.split('.');
        const changed = { ...sound, [outer!]: inner === undefined ? value : { ...sound.fragments, [inner]: value } };
        try {
          const found = decodeCheckpoint(encodeFrame(frame, changed));
          for (const fragment of found.fragments) void [fragment.files, fragment.batchKeys];
        } catch (error) {
          if (!isSpiralError(error)) throw error;
        }
      }),
      { numRuns: lawRuns(400, 20_000) },
    );
  });
});

describe('a path in a checkpoint', () => {
  it.each(['../../x', '/etc/passwd', 'data/../../x'])('that leads out of the root is refused: %s', async (path) => {
    const { versions } = await tableOf(2);
    const [fragment] = versions[1]!.fragments;
    const files = fragment!.files.map((file) => ({ ...file, path }));
    const forged = decodeCheckpoint(encodeCheckpoint({ ...versions[1]!, fragments: [{ ...fragment!, files }] }));
    expect(() => forged.fragments[0]!.files).toThrow(expect.objectContaining({ code: 'path_outside_root' }));
  });
});
