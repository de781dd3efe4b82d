import { appendFileSync } from 'node:fs';
import { Int32, type Vector, vectorFromArray } from 'apache-arrow';
import type { UdfContext } from '../../../src/index.js';

/** Twice each number; null for null. */
export function twice(numbers: Vector<Int32>): (number | null)[] {
  return [...numbers].map((value) => (value === null ? null : 2 * value));
}

export default async function shout(texts: Vector, { rows, signal }: UdfContext): Promise<Vector> {
  signal.throwIfAborted();
  if (texts.length !== rows) throw new Error(`Expected ${rows} texts.`);
  return vectorFromArray([...texts].map((text) => (text === null ? null : `${text}!`)));
}

/** Writes down how many rows it sees, a line a call. */
export function seen(file: Vector, numbers: Vector<Int32>, { rows }: UdfContext): boolean[] {
  appendFileSync(String(file.get(0)), `${rows}\n`);
  return [...numbers].map((value) => value !== null && value % 3 === 0);
}

export const sevens = ({ rows }: UdfContext): Int32Array => new Int32Array(rows).fill(7);
export const points = (numbers: Vector<Int32>): unknown[] =>
  [...numbers].map((x) => (x === null ? null : { x, tags: [`t${x}`, null] }));
export const tooFew = (numbers: Vector): unknown[] => [...numbers].slice(1);
export const scalar = (): unknown => 5;
export const words = (numbers: Vector): unknown => [...numbers].map((_, row) => (row === 3 ? 'three' : row));
export const wide = (numbers: Vector): unknown => vectorFromArray([...numbers].map(() => 1.5));
export const narrow = (numbers: Vector): unknown =>
  vectorFromArray(
    [...numbers].map(() => 1),
    new Int32(),
  );
export const big = (numbers: Vector): unknown => [...numbers].map(() => 2 ** 40);
export function throws(): never {
  throw new RangeError('no such luck');
}
export const waits = (_: Vector, { signal }: UdfContext): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
export const constant = 5;
