import { abortable, checkSignal } from '../core/abort.js';
import { SpiralError, shown } from '../core/errors.js';
import type { PutBody } from './store.js';

/**
 * Hands all of `body` to `take`, in order: a whole body in one call, a stream one piece a call, the next piece asked
 * for once `take` has resolved. A stream that is left early (signal, `take` throws) is told so by its `return()`.
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
  if (typeof body?.[Symbol.asyncIterator] !== 'function') throw noBytes(body);
  const iterator = body[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await abortable(iterator.next(), signal, what);
      if (next.done === true) {
        ended = true;
        return;
      }
      await take([checkBytes(next.value)]);
    }
  } finally {
    if (!ended) await leave(iterator, signal);
  }
}

/** A stream that hangs in `next()` cannot answer `return()`: after an abort nobody waits for it. */
async function leave(iterator: AsyncIterator<Uint8Array>, signal: AbortSignal | undefined): Promise<void> {
  const left = Promise.resolve(iterator.return?.()).catch(() => undefined);
  if (signal?.aborted !== true) await left;
}

function isPieces(body: PutBody): body is readonly Uint8Array[] {
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
