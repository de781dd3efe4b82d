import { createHash } from 'node:crypto';
import { type MdsDataset, type MdsSettings, openMds } from '../format/mds-file.js';
import type { ObjectStore } from '../storage/store.js';
import type { SampleShards } from './sample-shards.js';

/**
 * The shards of the MDS data set in the root of `store`, read where they are: nothing is cached, and nothing is ever
 * deleted. Compressed shards are unpacked in memory.
 *
 * @throws SpiralError `not_found` where there is no index, `corrupt_file`, `unsupported`, `unsupported_type`.
 */
export async function openMdsShards(store: ObjectStore, settings: MdsSettings = {}): Promise<SampleShards> {
  return mdsShards(await openMds(settings, store, 'index.json'), () => store.close());
}

/** The shards of an open data set, all of them here. */
export function mdsShards(dataset: MdsDataset, close: () => Promise<void>): SampleShards {
  const { schema, shards } = dataset;
  const all = schema.fields.map((_, column) => column);
  const samples = shards.reduce((sum, shard) => sum + shard.samples, 0);
  const bytes = shards.reduce((sum, { rawData }) => sum + rawData.bytes, 0);
  return {
    schema,
    shardSizes: shards.map((shard) => shard.samples),
    shardBytes: shards.map(() => 0),
    sampleBytes: samples === 0 ? undefined : bytes / samples,
    identity: createHash('sha256').update(JSON.stringify(shards)).digest('hex').slice(0, 32),
    pin: async (shard) => ({
      read: (from, to, columns = all, signal, memory) =>
        dataset.readSamples(shard, from, to, columns, { signal, memory }),
      release: () => {},
    }),
    expect: () => {},
    close,
  };
}
