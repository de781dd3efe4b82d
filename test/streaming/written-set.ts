import { MDSWriter } from '../../src/streaming/writing/mds-writer.js';

/** Samples number `0 … count` as {@link writeSet} has them. */
export const sampleOf = (id: number): { id: bigint; text: string } => ({
  id: BigInt(id),
  text: `${id}:${'x'.repeat((id * 37) % 61)}`,
});

/** A data set of `count` samples in shards of uneven sizes, in `folder`. */
export async function writeSet(folder: string, count: number, options: { compression?: string } = {}): Promise<void> {
  await using writer = new MDSWriter({
    out: folder,
    columns: { id: 'int', text: 'str' },
    hashes: ['xxh64'],
    sizeLimit: 1800,
    ...options,
  });
  for (let id = 0; id < count; id++) await writer.write(sampleOf(id));
  await writer.finish();
}
