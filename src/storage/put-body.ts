import { abortable, checkSignal } from '../core/abort.js';
import { SpiralError, shown } from '../core/errors.js';
import type { PutBody } from './store.js';

/** Asks a stream for lists of pieces, see {@link ListedStream}. */
export const inLists: unique symbol = Symbol('pieces in lists');

/**
 * A stream that has several pieces at a time and gives them so to who can use that: each turn of the event loop between
 * two writes of a piece is one in which nothing is written. It is read once, in one of its two ways.
 */
export interface ListedStream extends AsyncIterable<Uint8Array> {
  [inLists](): AsyncIterator<readonly Uint8Array[]>;
}

/** What is told of a stream on its way, see {@link followed}. */
export interface StreamWatch {
  /** It is begun, and cannot be read again. */
  begins?(): void;
  /** The next pieces, of so many bytes, wait to be handed on. */
  gives?(bytes: number): Promise<void>;
}

/**
 * Hands all of `body` to `take`, in order: a whole body in one call, a stream one piece a call, or one list, the next
 * asked for once `take` has resolved. A stream that is left early (signal, `take` throws) is told so by its `return()`.
 *
 * @throws SpiralError `invalid_argument` for what are no bytes, `cancelled`; and whatever the stream or `take` throws.
 */
export async function takeBody(
  body: PutBody,
  take: (pieces: readonly Uint8Array[]) => Promise<void>,
  what: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  checkSignal(signal, what);
  if (body instanceof Uint8Array) return take([body]);
  if (isPieces(body)) return take(body.map(checkBytes));
  if (!isStream(body)) throw noBytes(body);
  const iterator = isListed(body) ? body[inLists]() : lists(body);
  let ended = false;
  try {
    for (;;) {
      const next = await abortable(iterator.next(), signal, what);
      if (next.done === true) {
        ended = true;
        return;
      }
      await take(next.value);
    }
  } finally {
    if (!ended) await leave(iterator, signal);
  }
}

/** `body` with its pieces given as before, one or several at a time, and `watch` told of them. */
export function followed(body: AsyncIterable<Uint8Array>, watch: StreamWatch): AsyncIterable<Uint8Array> {
  const single = (): AsyncIterator<Uint8Array> =>
    watched(
      () => body[Symbol.asyncIterator](),
      watch,
      (piece) => checkBytes(piece).byteLength,
    );
  if (!isListed(body)) return { [Symbol.asyncIterator]: single };
  const listed: ListedStream = {
    [Symbol.asyncIterator]: single,
    [inLists]: () => watched(() => body[inLists](), watch, byteLengthOf),
  };
  return listed;
}

/** Whether `body` is asked for piece after piece. */
export function isStream(body: PutBody): body is AsyncIterable<Uint8Array> {
  return typeof (body as AsyncIterable<Uint8Array> | undefined)?.[Symbol.asyncIterator] === 'function';
}

function isListed(body: AsyncIterable<Uint8Array>): body is ListedStream {
  return inLists in body;
}

/** The pieces of a plain stream, each a list. Not a generator: `next()` may hang, and `return()` has to get past it. */
function lists(body: AsyncIterable<Uint8Array>): AsyncIterator<readonly Uint8Array[]> {
  const iterator = body[Symbol.asyncIterator]();
  return {
    next: async () => {
      const next = await iterator.next();
      return next.done === true ? { done: true, value: undefined } : { done: false, value: [checkBytes(next.value)] };
    },
    return: async () => {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
}

function watched<T>(open: () => AsyncIterator<T>, watch: StreamWatch, bytesOf: (given: T) => number): AsyncIterator<T> {
  watch.begins?.();
  const iterator = open();
  return {
    next: async () => {
      const next = await iterator.next();
      if (next.done !== true) await watch.gives?.(bytesOf(next.value));
      return next;
    },
    return: async () => {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
  };
}

function byteLengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** A stream that hangs in `next()` cannot answer `return()`: after an abort nobody waits for it. */
async function leave(iterator: AsyncIterator<unknown>, signal: AbortSignal | undefined): Promise<void> {
  const left = Promise.resolve(iterator.return?.()).catch(() => undefined);
  if (signal?.aborted !== true) await left;
}

/** Whether `body` is in pieces that are all there. */
export function isPieces(body: PutBody): body is readonly Uint8Array[] {
  return Array.isArray(body);
}

/** Returns `piece` if it is a Uint8Array. @throws SpiralError `invalid_argument`. */
export function checkBytes(piece: unknown): Uint8Array {
  if (piece instanceof Uint8Array) return piece;
  throw noBytes(piece);
}

function noBytes(found: unknown): SpiralError {
  return new SpiralError(
    'invalid_argument',
    `Expected the body to be a Uint8Array, an array of them or an async iterable of them, got ${shown(found)}. Encode text with TextEncoder.`,
    { details: { found: shown(found) } },
  );
}
