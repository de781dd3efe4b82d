import { coalesceGapBytes, readBytesMax } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import type { GroupOptions } from './row-file.js';

/** Bytes `offset … offset + length` of a file. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * The bytes of `ranges`, each beginning where any typed array may. Ranges near enough to each other are one read.
 *
 * @throws SpiralError as `ObjectStore.getRange`.
 */
export async function readRanges(
  store: ObjectStore,
  path: string,
  ranges: readonly ByteRange[],
  { signal, counters }: GroupOptions,
): Promise<Uint8Array[]> {
  const found = new Array<Uint8Array>(ranges.length);
  await Promise.all(
    runsOf(ranges).map(async (run) => {
      const start = ranges[run[0]!]!.offset;
      const end = Math.max(...run.map((at) => ranges[at]!.offset + ranges[at]!.length));
      if (counters !== undefined) {
        counters.bytes += end - start;
        counters.requests++;
      }
      const bytes = await store.getRange(path, start, end - start, { signal });
      for (const at of run) {
        const from = ranges[at]!.offset - start;
        const part = bytes.subarray(from, from + ranges[at]!.length);
        found[at] = (part.byteOffset & 7) === 0 ? part : part.slice();
      }
    }),
  );
  return found;
}

/** The numbers of ranges that are read together, in the order of the file. */
function runsOf(ranges: readonly ByteRange[]): number[][] {
  const runs: number[][] = [];
  let [start, end] = [0, Number.NEGATIVE_INFINITY];
  for (const at of Array.from(ranges.keys()).sort((a, b) => ranges[a]!.offset - ranges[b]!.offset)) {
    const { offset, length } = ranges[at]!;
    const to = Math.max(end, offset + length);
    const run = runs.at(-1);
    if (run !== undefined && offset - end <= coalesceGapBytes && to - start <= readBytesMax) run.push(at);
    else {
      runs.push([at]);
      start = offset;
    }
    end = run === runs.at(-1) ? to : offset + length;
  }
  return runs;
}
