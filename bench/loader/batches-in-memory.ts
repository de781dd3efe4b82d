import type { RecordBatch } from 'apache-arrow';
import { scanOf, warehouse } from '../data/data-set.js';

/** All batches of data set `name`, in order, as a loader of its table gives them. */
export async function batchesInMemory(name: string, batchSize: number): Promise<RecordBatch[]> {
  await using spiral = warehouse(name);
  const scan = await scanOf(spiral, name);
  await using loader = scan.toDataLoader({ batchSize, shuffleShards: false, feeder: false });
  const batches: RecordBatch[] = [];
  for await (const batch of loader) batches.push(batch);
  return batches;
}
