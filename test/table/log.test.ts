import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { isSpiralError, SpiralError } from '../../src/core/errors.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { Log } from '../../src/table/log.js';
import { parseCommit } from '../../src/table/parse-commit.js';
import { storedText } from '../../src/table/stored-value.js';
import { lawRuns } from '../laws.js';
import { forged, framed, packed } from './forged-entry.js';

const textLog = (store: ObjectStore): Log<string> => new Log(store, 'log', (raw) => storedText(raw, 'the entry'));
const place = (version: number): string => `log/${String(version).padStart(20, '0')}`;

async function filled(count: number): Promise<ObjectStore> {
  const store = memoryStore();
  const log = textLog(store);
  for (let version = 1; version <= count; version++) {
    const entry = `entry ${version}`;
    expect(
      await log.commit(
        (other) => other === entry,
        () => entry,
      ),
    ).toBe(version);
  }
  return store;
}

async function refusal(work: Promise<unknown>): Promise<SpiralError> {
  const error: unknown = await work.then(
    () => new Error('Expected a refusal.'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof SpiralError)) throw error;
  return error;
}

describe('a log', () => {
  it('gives every reader all entries in order, with the hint and without', async () => {
    for (const count of [0, 1, 15, 16, 17, 40, 120]) {
      const store = await filled(count);
      const expected = Array.from({ length: count }, (_, at) => `entry ${at + 1}`);
      expect(await textLog(store).entries()).toEqual(expected);
      await store.delete('log/hint');
      expect(await textLog(store).entries()).toEqual(expected);
      await store.put('log/hint', new TextEncoder().encode('rubbish'));
      expect(await textLog(store).entries()).toEqual(expected);
    }
  });

  it('sees what another writer appended since', async () => {
    const store = await filled(3);
    const [a, b] = [textLog(store), textLog(store)];
    expect(await a.entries()).toHaveLength(3);
    await b.commit(
      () => false,
      (entries) => `entry ${entries.length + 1}`,
    );
    expect(await a.entries()).toEqual(['entry 1', 'entry 2', 'entry 3', 'entry 4']);
    expect(await a.tailUpTo(2)).toEqual({ base: 0, entries: ['entry 1', 'entry 2'] });
    expect(await refusal(a.tailUpTo(5))).toMatchObject({ code: 'version_not_found', details: { newest: 4 } });
  });

  it('misses an entry that was deleted, wherever it was', async () => {
    for (const lost of [1, 2, 16, 20, 31, 32, 33]) {
      const store = await filled(34);
      await store.delete(place(lost));
      const error = await refusal(textLog(store).entries());
      expect(error).toMatchObject({ code: 'corrupt_log', details: { version: lost } });
      expect(error.message).toContain(place(lost));
    }
  });

  it('refuses an entry that was damaged in any byte or cut short, and names its file (law 22)', async () => {
    const store = await filled(3);
    const good = await store.get(place(2));
    for (let at = 0; at < good.length; at++) {
      for (const bit of [1, 128]) {
        const bad = good.slice();
        bad[at]! ^= bit;
        await store.put(place(2), bad);
        expect(await refusal(textLog(store).entries())).toMatchObject({ code: 'corrupt_log', details: { version: 2 } });
      }
      await store.put(place(2), good.slice(0, at));
      expect((await refusal(textLog(store).entries())).message).toContain(`${store.uri}/${place(2)}`);
    }
  });

  it('says so where a newer release wrote an entry', async () => {
    const store = await filled(1);
    await store.put(place(2), framed(packed('entry 2'), 2));
    expect(await refusal(textLog(store).entries())).toMatchObject({ code: 'unsupported', details: { version: 2 } });
  });

  it('survives bodies of any bytes under a good checksum', () =>
    fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (body) => {
        const store = memoryStore();
        await store.put(place(1), framed(body));
        const error = await refusal(new Log(store, 'log', parseCommit).entries());
        expect(['corrupt_log', 'path_outside_root']).toContain(error.code);
      }),
      { numRuns: lawRuns(300, 20_000) },
    ));
});

describe('a commit', () => {
  const file = { path: 'data/a.arrow', bytes: 10, columns: [0, 1] };
  const fragment = {
    rows: 3,
    batchRows: 2,
    keyMin: Uint8Array.of(1),
    keyMax: Uint8Array.of(3),
    batchKeys: [Uint8Array.of(1), Uint8Array.of(3)],
    keyDigest: new Uint8Array(32),
    files: [file],
  };
  const write = {
    kind: 'write',
    columns: [
      { path: ['id'], type: 'int64', id: 0 },
      { path: ['a'], type: 'utf8', id: 1 },
    ],
    fragments: [fragment],
  };
  const commit = { transaction: 'txn', time: 5, operations: [write] };
  const having = (changes: object): unknown => ({
    ...commit,
    operations: [{ ...write, fragments: [{ ...fragment, ...changes }] }],
  });

  it('is read as it was written', () => {
    expect(parseCommit(new Packr({ useRecords: false }).unpack(packed(commit)))).toEqual(commit);
  });

  it.each([
    ['nothing', null],
    ['a list', []],
    ['no transaction', { ...commit, transaction: undefined }],
    ['a time below zero', { ...commit, time: -1 }],
    ['a time that is no number', { ...commit, time: '5' }],
    ['operations that are no list', { ...commit, operations: {} }],
    ['an operation of no known kind', { ...commit, operations: [{ kind: 'truncate' }] }],
    ['a key that is no column', { ...commit, operations: [{ kind: 'create', tableId: 't', keys: [] }] }],
    [
      'key columns out of order',
      { ...commit, operations: [{ kind: 'create', tableId: 't', keys: write.columns.slice(1) }] },
    ],
    ['a drop of nothing', { ...commit, operations: [{ kind: 'drop', columns: [] }] }],
    [
      'a type of no known words',
      { ...commit, operations: [{ ...write, columns: [{ path: ['x'], type: 'int63', id: 0 }] }] },
    ],
    ['a path without parts', { ...commit, operations: [{ ...write, columns: [{ path: [], type: 'int64', id: 0 }] }] }],
    ['no rows', having({ rows: 0 })],
    ['rows beyond counting', having({ rows: 2 ** 40 })],
    ['half a row', having({ rows: 1.5 })],
    ['batches without a key', having({ rows: 2 ** 31 - 1, batchRows: 1 })],
    ['keys out of order', having({ keyMin: Uint8Array.of(9) })],
    ['a key that is no bytes', having({ keyMax: 'zz' })],
    ['no files', having({ files: [] })],
    ['a file of no bytes', having({ files: [{ ...file, bytes: 0 }] })],
    ['a column stored twice', having({ files: [file, { ...file, columns: [1] }] })],
    ['a column that is not there', having({ files: [{ ...file, columns: [0, 2] }] })],
    ['a file without a path', having({ files: [{ ...file, path: '' }] })],
    ['a file in the place of unfinished ones', having({ files: [{ ...file, path: '.tmp/x' }] })],
  ])('with %s is refused', async (_, entry) => {
    const store = memoryStore();
    await store.put(place(1), forged(entry));
    const error = await refusal(new Log(store, 'log', parseCommit).entries());
    expect(error).toMatchObject({ code: 'corrupt_log', details: { version: 1 } });
  });

  it.each(['../../x', '/etc/passwd', 'data/../../x', '..'])('with the file path %s is refused', async (path) => {
    const store = memoryStore();
    await store.put(place(1), forged(having({ files: [{ ...file, path }] })));
    const error = await refusal(new Log(store, 'log', parseCommit).entries());
    expect(isSpiralError(error, 'path_outside_root')).toBe(true);
    expect(error.message).toContain(place(1));
  });
});
