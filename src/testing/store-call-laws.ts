import assert from 'node:assert/strict';
import type { ObjectStore } from '../storage/store.js';
import { bytesOf, fails, listOf, pathsOf, type StoreLawTable, same } from './store-law-probes.js';

/** The laws of any call: what is refused, cancelled, closed. */
export const callLaws: StoreLawTable = [
  ['refuses paths that do not stay below the root', badPaths],
  ['refuses numbers and bodies that make no sense', badArguments],
  ['is cancelled by a signal, and leaves nothing', cancelledWork],
  ['closes twice, and does nothing afterwards', closing],
];

async function badPaths(store: ObjectStore): Promise<void> {
  const bad = [
    '',
    '/',
    '/etc/passwd',
    '..',
    '../a',
    'a/../../b',
    'a/..',
    '.',
    './a',
    'a//b',
    'a/',
    'a\\b',
    'a\0b',
    '.tmp/a',
    '\ud800',
    undefined,
    7,
  ];
  for (const path of bad as string[]) {
    const codes = ['path_outside_root', 'invalid_argument'];
    const name = JSON.stringify(path);
    await fails(store.get(path), `get of ${name}`, ...codes);
    await fails(store.getRange(path, 0, 1), `getRange of ${name}`, ...codes);
    await fails(store.getTail(path, 1), `getTail of ${name}`, ...codes);
    await fails(store.head(path), `head of ${name}`, ...codes);
    await fails(store.put(path, new Uint8Array(1)), `put of ${name}`, ...codes);
    await fails(store.putIfAbsent(path, new Uint8Array(1)), `putIfAbsent of ${name}`, ...codes);
    await fails(store.delete(path), `delete of ${name}`, ...codes);
  }
  for (const prefix of ['/', '../', '..', 'a/../b', 'a//', 'a\\b', '.tmp/']) {
    await fails(listOf(store, prefix), `list of ${prefix}`, 'path_outside_root', 'invalid_argument');
  }
  for (const path of ['a b', '%2e%2e/x', '..a', 'a..', '...', 'ü', "q'?#*:<>"]) {
    await store.put(path, bytesOf(path, 5));
    same(await store.get(path), bytesOf(path, 5), path);
  }
}

async function badArguments(store: ObjectStore): Promise<void> {
  await store.put('a', new Uint8Array(10));
  for (const number of [-1, 0.5, Number.NaN, '1' as never]) {
    await fails(store.getRange('a', number, 1), `offset ${number}`, 'invalid_size');
    await fails(store.getRange('a', 0, number), `length ${number}`, 'invalid_size');
    await fails(store.getTail('a', number), `tail ${number}`, 'invalid_size');
  }
  await fails(store.getTail('a', 0), 'tail 0', 'invalid_size');
  for (const body of ['text', undefined, 5, {}, ['text']]) {
    await fails(store.put('b', body as never), `a body of ${typeof body}`, 'invalid_argument');
    await fails(store.putIfAbsent('b', body as never), `a body of ${typeof body}`, 'invalid_argument');
  }
  assert.deepEqual(await pathsOf(store), ['a']);
}

async function cancelledWork(store: ObjectStore): Promise<void> {
  await store.put('a', bytesOf('a', 10));
  const signal = AbortSignal.abort(new Error('enough'));
  await fails(store.get('a', { signal }), 'get', 'cancelled');
  await fails(store.getRange('a', 0, 5, { signal }), 'getRange', 'cancelled');
  await fails(store.getTail('a', 5, { signal }), 'getTail', 'cancelled');
  await fails(store.head('a', { signal }), 'head', 'cancelled');
  await fails(store.put('b', bytesOf('b', 10), { signal }), 'put', 'cancelled');
  await fails(store.putIfAbsent('b', bytesOf('b', 10), { signal }), 'putIfAbsent', 'cancelled');
  await fails(store.delete('a', { signal }), 'delete', 'cancelled');
  await fails(
    (async () => {
      for await (const _ of store.list('', { signal }));
    })(),
    'list',
    'cancelled',
  );
  const later = new AbortController();
  async function* hanging(): AsyncGenerator<Uint8Array> {
    yield bytesOf('c', 100_000);
    later.abort();
    await new Promise(() => {});
  }
  await fails(store.put('c', hanging(), { signal: later.signal }), 'a put whose producer hangs', 'cancelled');
  assert.deepEqual(await pathsOf(store), ['a']);
}

async function closing(store: ObjectStore): Promise<void> {
  await store.put('a', bytesOf('a', 10));
  await store.getRange('a', 0, 5);
  await store.close();
  await store.close();
  await fails(store.get('a'), 'get', 'closed');
  await fails(store.getRange('a', 0, 5), 'getRange', 'closed');
  await fails(store.head('a'), 'head', 'closed');
  await fails(store.put('b', new Uint8Array(1)), 'put', 'closed');
  await fails(store.putIfAbsent('b', new Uint8Array(1)), 'putIfAbsent', 'closed');
  await fails(store.delete('a'), 'delete', 'closed');
  await fails(listOf(store, ''), 'list', 'closed');
}
