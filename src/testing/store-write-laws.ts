import assert from 'node:assert/strict';
import { isSpiralError } from '../core/errors.js';
import type { ObjectStore } from '../storage/store.js';
import { bigBytes, bytesOf, fails, pathsOf, type StoreLawTable, same, streamed } from './store-law-probes.js';

/** The laws of writing: whole or not at all, one winner, no memory shared. */
export const writeLaws: StoreLawTable = [
  ['gives back what was put, of any size and in any form', roundTrips],
  ['keeps its own copy, and hands out copies', copies],
  ['lets a stream use the memory of a piece again', reusedPieces],
  ['leaves nothing of a body that fails half way', failingBody],
  ['leaves the older object when its replacement fails', failingReplacement],
  ['replaces an object as a whole', replacement],
  ['deletes, and does not mind what is not there', deletes],
  ['lets one of 50 racers create an object', racers],
  ['gives one of two whole values while one replaces the other', readsWhileReplacing],
];

async function roundTrips(store: ObjectStore): Promise<void> {
  for (const size of [0, 1, 4096, bigBytes]) {
    const bytes = bytesOf(`whole-${size}`, size);
    const cuts = [bytes.subarray(0, size >> 1), new Uint8Array(0), bytes.subarray(size >> 1)];
    await store.put(`whole/${size}`, bytes);
    await store.put(`pieces/${size}`, cuts);
    await store.put(`streamed/${size}`, streamed(...cuts));
    assert.equal(await store.putIfAbsent(`absent/${size}`, bytes), true);
    for (const form of ['whole', 'pieces', 'streamed', 'absent']) {
      const found = await store.get(`${form}/${size}`);
      same(found, bytes, `${form}/${size}`);
      assert.equal(found.byteLength, found.buffer.byteLength, `${form}/${size} owns its whole buffer`);
    }
  }
  const many = Array.from({ length: 3000 }, (_, at) => bytesOf(`piece-${at}`, at % 7));
  await store.put('many', many);
  same(await store.get('many'), Buffer.concat(many), '3,000 pieces');
  await store.put('no-pieces', []);
  same(await store.get('no-pieces'), new Uint8Array(0), 'no pieces');
}

async function copies(store: ObjectStore): Promise<void> {
  const bytes = bytesOf('copies', 100);
  await store.put('a', bytes);
  await store.put('b', [bytes]);
  await store.putIfAbsent('c', bytes);
  const expected = bytes.slice();
  bytes.fill(0);
  const pooled = Buffer.from('0123456789');
  await store.put('d', pooled.subarray(2, 5));
  await store.putIfAbsent('e', pooled.subarray(2, 5));
  pooled.fill(0);
  for (const path of ['d', 'e']) same(await store.get(path), new TextEncoder().encode('234'), `${path}, of a Buffer`);
  for (const path of ['a', 'b', 'c']) {
    (await store.get(path)).fill(1);
    (await store.getRange(path, 0, 50)).fill(2);
    (await store.getTail(path, 50)).bytes.fill(3);
    same(await store.get(path), expected, path);
  }
}

async function reusedPieces(store: ObjectStore): Promise<void> {
  const piece = new Uint8Array(1000);
  async function* reusing(): AsyncGenerator<Uint8Array> {
    for (let value = 1; value <= 3; value++)
      yield value === 2 ? Buffer.from(piece.fill(value).buffer) : piece.fill(value);
  }
  await store.put('a', reusing());
  const found = await store.get('a');
  assert.deepEqual([found.length, found[0], found[1000], found[2000]], [3000, 1, 2, 3]);
}

async function failingBody(store: ObjectStore): Promise<void> {
  const failure = new Error('the producer failed');
  await assert.rejects(store.put('a/b', streamed(bytesOf('half', 70_000), failure)), failure);
  await assert.rejects(store.put('c', streamed(failure)), failure);
  await fails(store.put('d', streamed(bytesOf('half', 10), 'text' as never)), 'text in a stream', 'invalid_argument');
  assert.deepEqual(await pathsOf(store), []);
  assert.equal(await store.head('a/b'), undefined);
}

async function failingReplacement(store: ObjectStore): Promise<void> {
  const older = bytesOf('older', 5000);
  await store.put('a', older);
  const failure = new Error('the producer failed');
  await assert.rejects(store.put('a', streamed(bytesOf('newer', 9000), failure)), failure);
  same(await store.get('a'), older, 'the older object');
}

async function replacement(store: ObjectStore): Promise<void> {
  for (const size of [5000, 10, 20_000, 0]) {
    const bytes = bytesOf(`replacement-${size}`, size);
    await store.put('a', bytes);
    same(await store.get('a'), bytes, `get of ${size} bytes`);
    same(await store.getRange('a', 0, size), bytes, `range of ${size} bytes`);
    assert.equal((await store.getTail('a', 1)).size, size);
    assert.equal((await store.head('a'))?.size, size);
  }
}

async function deletes(store: ObjectStore): Promise<void> {
  await store.delete('never/there');
  await store.put('a', bytesOf('a', 10));
  await store.put('b', bytesOf('b', 10));
  await store.getRange('a', 0, 5);
  await store.delete('a');
  await store.delete('a');
  await fails(store.getRange('a', 0, 5), 'a deleted object', 'not_found');
  assert.deepEqual(await pathsOf(store), ['b']);
  assert.equal(await store.putIfAbsent('a', bytesOf('again', 7)), true);
  same(await store.get('a'), bytesOf('again', 7), 'made again');
}

async function racers(store: ObjectStore): Promise<void> {
  for (const path of ['log/0001', 'log/0002']) {
    const bodies = Array.from({ length: 50 }, (_, racer) => bytesOf(`racer-${path}-${racer}`, 100 + racer));
    const won = await Promise.all(bodies.map((body) => store.putIfAbsent(path, body)));
    assert.equal(won.filter(Boolean).length, 1, 'one winner');
    same(await store.get(path), bodies[won.indexOf(true)]!, "the winner's content");
    assert.equal(await store.putIfAbsent(path, bodies[0]!), false);
  }
  await store.put('there', bytesOf('there', 5));
  assert.equal(await store.putIfAbsent('there', bytesOf('late', 9)), false);
  same(await store.get('there'), bytesOf('there', 5), 'what was there');
  assert.deepEqual(await pathsOf(store), ['log/0001', 'log/0002', 'there']);
}

async function readsWhileReplacing(store: ObjectStore): Promise<void> {
  const one = bytesOf('one', 300_000);
  const two = bytesOf('two', 200_000);
  await store.put('a', one);
  let replacing = true;
  const writer = (async () => {
    for (let turn = 0; turn < 20; turn++) await store.put('a', turn % 2 === 0 ? two : one);
    replacing = false;
  })();
  const reader = async (): Promise<void> => {
    do {
      const found = await store.get('a');
      same(found, found.length === one.length ? one : two, 'one of the two values');
      const tail = await store.getTail('a', 1000);
      same(tail.bytes, (tail.size === one.length ? one : two).slice(-1000), 'the tail of one of the two');
      const range = await unlessChanged(store.getRange('a', 1000, 1000));
      if (range === undefined) continue;
      const ofOne = Buffer.compare(range, one.subarray(1000, 2000)) === 0;
      if (!ofOne) same(range, two.subarray(1000, 2000), 'a range of one of the two');
    } while (replacing);
  };
  await Promise.all([writer, reader(), reader(), reader()]);
  same(await store.get('a'), one, 'the last value');
}

/** Undefined where the store refuses to read another version than the one it saw last. */
async function unlessChanged(range: Promise<Uint8Array>): Promise<Uint8Array | undefined> {
  try {
    return await range;
  } catch (error) {
    if (isSpiralError(error, 'file_changed')) return undefined;
    throw error;
  }
}
