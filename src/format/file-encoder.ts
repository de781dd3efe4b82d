import type { RecordBatch } from 'apache-arrow';

/** Makes a file piece by piece: `start()`, `batch()` for each record batch, `finish()`. Each gives the bytes that come next, made as they are taken. */
export interface FileEncoder {
  start(): Uint8Array[];
  batch(batch: RecordBatch): Iterable<Uint8Array>;
  finish(): Uint8Array[];
}

/** Bytes below which pieces are joined before they are handed on: a store takes larger ones at once. */
const pieceBytes = 256 * 1024;

/** The bytes of the file that `encoder` makes of `batches`, in pieces; no batch is asked for before they were taken. */
export async function* encodedFile(
  encoder: FileEncoder,
  batches: AsyncIterable<RecordBatch>,
): AsyncGenerator<Uint8Array, void> {
  let pending: Uint8Array[] = [];
  let bytes = 0;
  function* joined(pieces: Iterable<Uint8Array>, last = false): Generator<Uint8Array> {
    for (const piece of pieces) {
      pending.push(piece);
      bytes += piece.byteLength;
      if (bytes < pieceBytes) continue;
      yield pending.length === 1 ? piece : Buffer.concat(pending);
      [pending, bytes] = [[], 0];
    }
    if (last && bytes > 0) yield Buffer.concat(pending);
  }
  yield* joined(encoder.start());
  for await (const batch of batches) yield* joined(encoder.batch(batch));
  yield* joined(encoder.finish(), true);
}
