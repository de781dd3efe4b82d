import type { RecordBatch } from 'apache-arrow';
import { type LoaderSource, type OpenSource, Shard } from 'spiral-loader';

/** Rows of a block, as a table has them. */
const blockRows = 8192;

/** A record batch in memory as a loader's source: blocks are slices of it, without a copy. */
export function memorySource(batch: RecordBatch): LoaderSource {
  const whole = new Shard({ begin: null, end: null }, batch.numRows, [{ part: 0, from: 0, to: batch.numRows }]);
  const open: OpenSource = {
    schema: batch.schema,
    shards: [whole],
    filtered: false,
    checkShards: () => {},
    blockEnd: (_, row) => Math.min(batch.numRows, (Math.floor(row / blockRows) + 1) * blockRows),
    readBlock: async (_, from, to) => ({ batch: batch.slice(from, to), rows: undefined }),
  };
  return { identity: { kind: 'memory' }, openSource: async () => open };
}
