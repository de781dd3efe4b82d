import assert from 'node:assert/strict';
import type { ObjectStore } from '../storage/store.js';
import { bigBytes, bytesOf, fails, listOf, pathsOf, type StoreLawTable, same } from './store-law-probes.js';

/** The laws of reading, ranges, tails and lists. */
export const readLaws: StoreLawTable = [
  ['reads exactly the range that was asked for', ranges],
  ['says corrupt_file for a range beyond the end', rangesBeyond],
  ['reads a range into the memory that it is given', rangesInto],
  ['reads a range of the version that is named, and of no other', rangesOfVersion],
  ['reads the tail with the size of the whole', tails],
  ['says not_found for what is not there', missing],
  ['knows size, time and etag of an object, and a new etag for a new content', heads],
  ['lists recursively, sorted by bytes, by prefix', lists],
  ['takes a folder for no object', folders],
];

async function ranges(store: ObjectStore): Promise<void> {
  const bytes = bytesOf('ranges', bigBytes);
  await store.put('a', bytes);
  const cases: [number, number][] = [
    [0, 1],
    [0, bigBytes],
    [1, 100],
    [bigBytes - 1, 1],
    [70_000, 1_000_000],
    [5, 0],
  ];
  await Promise.all(
    cases.map(async ([offset, length]) => {
      const found = await store.getRange('a', offset, length);
      same(found, bytes.subarray(offset, offset + length), `range ${offset}+${length}`);
      assert.equal(found.byteLength, found.buffer.byteLength, 'owns its whole buffer');
    }),
  );
}

async function rangesBeyond(store: ObjectStore): Promise<void> {
  await store.put('a', bytesOf('beyond', 100));
  await store.put('empty', new Uint8Array(0));
  for (const [path, offset, length] of [
    ['a', 0, 101],
    ['a', 99, 2],
    ['a', 100, 1],
    ['a', 5000, 3],
    ['empty', 0, 1],
  ] as const) {
    await fails(store.getRange(path, offset, length), `${path} ${offset}+${length}`, 'corrupt_file');
  }
}

async function rangesInto(store: ObjectStore): Promise<void> {
  const bytes = bytesOf('into', 1000);
  await store.put('a', bytes);
  const room = new Uint8Array(600).fill(7);
  const into = room.subarray(100, 400);
  const found = await store.getRange('a', 50, 200, { into });
  same(found, bytes.subarray(50, 250), 'the range');
  assert.equal(found.buffer, room.buffer);
  assert.equal(found.byteOffset, 100);
  assert.ok(
    [room[99], room[300], room[599]].every((byte) => byte === 7),
    'nothing beside the range is written',
  );
  await fails(store.getRange('a', 0, 301, { into }), 'too short an `into`', 'invalid_argument');
}

async function rangesOfVersion(store: ObjectStore): Promise<void> {
  const [older, newer] = [bytesOf('older', 1000), bytesOf('newer', 1000)];
  await store.put('a', older);
  const first = (await store.head('a'))!.etag;
  same(await store.getRange('a', 10, 500, { etag: first }), older.subarray(10, 510), 'the first version');
  await store.put('a', newer);
  await fails(store.getRange('a', 10, 500, { etag: first }), 'the version before', 'file_changed');
  const { etag } = (await store.head('a'))!;
  same(await store.getRange('a', 10, 500, { etag }), newer.subarray(10, 510), 'the second version');
  await fails(store.getRange('a', 10, 500, { etag: first }), 'the version before, again', 'file_changed');
}

async function tails(store: ObjectStore): Promise<void> {
  const bytes = bytesOf('tails', 1000);
  await store.put('a', bytes);
  for (const length of [1, 999, 1000, 1001, 100_000]) {
    const tail = await store.getTail('a', length);
    same(tail.bytes, bytes.subarray(Math.max(0, 1000 - length)), `tail of ${length}`);
    assert.equal(tail.size, 1000);
  }
  await store.put('empty', new Uint8Array(0));
  assert.deepEqual(await store.getTail('empty', 10), { bytes: new Uint8Array(0), size: 0 });
}

async function missing(store: ObjectStore): Promise<void> {
  for (const path of ['a', 'deep/er/a']) {
    await fails(store.get(path), 'get', 'not_found');
    await fails(store.getRange(path, 0, 1), 'getRange', 'not_found');
    await fails(store.getTail(path, 1), 'getTail', 'not_found');
    assert.equal(await store.head(path), undefined);
  }
  await store.put('a', bytesOf('now there', 10));
  assert.equal((await store.getRange('a', 0, 10)).length, 10, 'an object that was missing before is found');
}

async function heads(store: ObjectStore): Promise<void> {
  await store.put('x/a', bytesOf('head', 10));
  const first = await store.head('x/a');
  assert.deepEqual([first?.path, first?.size], ['x/a', 10]);
  assert.ok(
    first !== undefined && first.modifiedMs > 1.6e12 && first.modifiedMs < 1e14,
    'milliseconds since the epoch',
  );
  assert.deepEqual(await store.head('x/a'), first, 'nothing changed');
  assert.deepEqual(await listOf(store, ''), [first], 'a list tells the same');
  await store.put('x/a', bytesOf('other', 10));
  assert.notEqual((await store.head('x/a'))?.etag, first.etag);
}

async function lists(store: ObjectStore): Promise<void> {
  assert.deepEqual(await pathsOf(store), [], 'an empty store');
  // In the order of UTF-8 bytes: '-' and '.' come before '/', U+FF5E before U+1F600.
  const paths = [
    'a-b',
    'a.b/c',
    'a/b',
    'a/b.txt',
    'a/c/d/e',
    'a0',
    'log/0001',
    'log/0002',
    'log/0010',
    'é',
    '～',
    '😀',
    '😀x/y',
  ];
  for (const path of [...paths].reverse()) await store.put(path, new Uint8Array(3));
  assert.deepEqual(await pathsOf(store), paths);
  for (const prefix of [
    'a',
    'a/',
    'a/b',
    'a/c/d',
    'log/',
    'log/000',
    'a.',
    'é',
    '😀',
    'nothing',
    'a/c/d/e',
    'a/c/d/e/',
    'zz/z',
  ]) {
    assert.deepEqual(
      await pathsOf(store, prefix),
      paths.filter((path) => path.startsWith(prefix)),
      `prefix ${prefix}`,
    );
  }
  for await (const info of store.list('')) {
    assert.equal(info.path, 'a-b');
    break;
  }
  const numbered = Array.from({ length: 700 }, (_, at) => `n/${String(at).padStart(5, '0')}`);
  await Promise.all(numbered.map((path) => store.put(path, new Uint8Array(1))));
  assert.deepEqual(await pathsOf(store, 'n/'), numbered);
}

async function folders(store: ObjectStore): Promise<void> {
  await store.put('a/b', bytesOf('folders', 10));
  await fails(store.get('a'), 'get', 'not_found');
  await fails(store.getRange('a', 0, 1), 'getRange', 'not_found');
  assert.equal(await store.head('a'), undefined);
  await store.delete('a');
  await fails(store.get('a/b/c'), 'below an object', 'not_found');
  assert.equal(await store.head('a/b/c'), undefined);
  await store.delete('a/b/c');
  assert.deepEqual(await pathsOf(store), ['a/b']);
}
