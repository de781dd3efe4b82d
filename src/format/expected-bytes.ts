import { isFixedSize } from '../arrow/layout.js';
import { stretchAt } from '../core/search.js';
import type { ArrowFile } from './arrow-file.js';
import { buffersOf, type ReadRequest, readsParts } from './arrow-read.js';
import { coalesced } from './stored-buffers.js';

/** By how much stretches of values of varying length may exceed their share of a batch; by how much all others may be padded. */
const [varyingShare, paddedShare] = [1 / 16, 1 / 64];
/** Bytes by which a buffer may exceed its share: one more offset, and where the next one may begin. */
const paddedBytes = 32;

/**
 * About what rows `from … to` of `file` take that are read as they are wanted, a little more rather than less: batches with
 * something left to verify are read whole instead, and their rows copied.
 */
export function expectedBytes(
  file: ArrowFile,
  from: number,
  to: number,
  request: Pick<ReadRequest, 'columns' | 'verify'>,
): number {
  const { columns } = request;
  const wanted = [...new Set(columns)].sort((a, b) => a - b).flatMap((column) => buffersOf(file, column));
  const isFixed = columns.every((column) => isFixedSize(file.schema.fields[column]!.type));
  const spare = 1 + (isFixed ? paddedShare : varyingShare);
  let bytes = 0;
  for (let number = stretchAt(file.rowStarts, from); file.rowStarts[number]! < to; number++) {
    if (!readsParts(file, number, request)) continue;
    const stored = file.index.batches[number]!;
    const rows = Math.min(to, file.rowStarts[number + 1]!) - Math.max(from, file.rowStarts[number]!);
    const present = wanted.filter((at) => stored.lengths[at]! > 0);
    const parts = rows < stored.rows ? present.map((at) => [at]) : coalesced(stored, present);
    let own = 0;
    for (const part of parts) {
      const last = part.at(-1)!;
      own += stored.offsets[last]! + stored.lengths[last]! - stored.offsets[part[0]!]!;
    }
    own *= rows / stored.rows;
    bytes += Math.max(own + parts.length * paddedBytes, own * spare);
  }
  return bytes;
}
