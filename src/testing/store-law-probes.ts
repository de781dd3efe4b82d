import assert from 'node:assert/strict';
import { isSpiralError } from '../core/errors.js';
import { randomStream } from '../core/random.js';
import { macrotask } from '../core/runtime.js';
import type { ObjectInfo, ObjectStore } from '../storage/store.js';

/** Laws by name, each a function of an empty store that rejects where the law is broken. */
export type StoreLawTable = readonly (readonly [name: string, law: (store: ObjectStore) => Promise<void>])[];

/** A size that no single read of a usual store gives at once. */
export const bigBytes: number = 3 * 1024 * 1024 + 17;

/** `size` bytes that no other label has, the same on every run. */
export function bytesOf(label: string, size: number): Uint8Array {
  const stream = randomStream('store-laws', label);
  const words = new Uint32Array(Math.ceil(size / 4));
  for (let at = 0; at < words.length; at++) words[at] = stream.uint32();
  return new Uint8Array(words.buffer, 0, size);
}

/** Asserts equal bytes. */
export function same(found: Uint8Array, expected: Uint8Array, what: string): void {
  assert.ok(found instanceof Uint8Array, `${what}: a Uint8Array`);
  assert.equal(Buffer.compare(found, expected), 0, `${what}: ${expected.length} equal bytes, got ${found.length}`);
}

/** Asserts that `work` rejects with a SpiralError of one of `codes`. */
export async function fails(work: Promise<unknown>, what: string, ...codes: string[]): Promise<void> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isSpiralError(error, ...codes), `${what}: a SpiralError ${codes.join(' or ')}, got ${String(error)}`);
}

/** The pieces one by one, each after a turn of the event loop; an Error among them is thrown. */
export async function* streamed(...pieces: readonly (Uint8Array | Error)[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) {
    await macrotask();
    if (piece instanceof Error) throw piece;
    yield piece;
  }
}

/** What a list gives. */
export async function listOf(store: ObjectStore, prefix: string): Promise<ObjectInfo[]> {
  const found: ObjectInfo[] = [];
  for await (const info of store.list(prefix)) found.push(info);
  return found;
}

/** The paths that a list gives. */
export async function pathsOf(store: ObjectStore, prefix = ''): Promise<string[]> {
  return (await listOf(store, prefix)).map((info) => info.path);
}
