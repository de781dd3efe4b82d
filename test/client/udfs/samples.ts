import { appendFileSync, existsSync } from 'node:fs';
import { threadId } from 'node:worker_threads';
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
/** Waits for its signal, once it has said that it was called. */
export const waits = (file: Vector, _: Vector, { signal }: UdfContext): Promise<never> => {
  appendFileSync(String(file.get(0)), 'x');
  return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
};
export const constant = 5;
/** In which thread each row was computed. */
export const threads = ({ rows }: UdfContext): Int32Array => new Int32Array(rows).fill(threadId);
/** Twice each number, the sooner the later its batch. */
export async function late(numbers: Vector<Int32>): Promise<(number | null)[]> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, 30 - (numbers.get(0) ?? 0) / 10)));
  return twice(numbers);
}
/** Ends its thread at every batch that begins with a multiple of 100, the first time it sees it; always without a file. */
export function dies(file: Vector, numbers: Vector<Int32>): (number | null)[] {
  const path = file.get(0) === null ? undefined : `${file.get(0)}${numbers.get(0)}`;
  if (numbers.get(0)! % 100 === 0 && (path === undefined || !existsSync(path))) {
    if (path !== undefined) appendFileSync(path, 'x');
    process.exit(3);
  }
  return twice(numbers);
}
const kept: Vector[] = [];
/** Keeps what it returns, and returns it again: its own vector each time. */
export function keeps(numbers: Vector<Int32>): Vector {
  kept[numbers.length] ??= vectorFromArray(new Int32Array(numbers.length).fill(4));
  return kept[numbers.length]!;
}
/** How many it was given, by the type that came. */
export const types = (...given: unknown[]): string[] => {
  const { rows } = given.at(-1) as UdfContext;
  return new Array(rows).fill(
    given
      .slice(0, -1)
      .map((vector) => String((vector as Vector).type))
      .join(),
  );
};
export const functions = (numbers: Vector): unknown => [...numbers].map(() => () => 5);
