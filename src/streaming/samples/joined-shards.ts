import { createHash } from 'node:crypto';
import { sameType } from '../../arrow/schema.js';
import { SpiralError } from '../../core/errors.js';
import { stretchAt } from '../../core/search.js';
import { shardStarts } from '../order/shard-spans.js';
import type { SampleShards } from './sample-shards.js';

/**
 * The shards of several streams, one stream after the other, as those of one data set.
 *
 * @throws SpiralError `type_mismatch` where streams differ in their columns.
 */
export function joinShards(streams: readonly SampleShards[]): SampleShards {
  const [first] = streams;
  if (streams.length === 1) return first!;
  // A stream without shards has no columns.
  const filled = streams.filter(({ shardSizes }) => shardSizes.length > 0);
  const schema = (filled[0] ?? first!).schema;
  for (const stream of filled) checkColumns(filled[0]!, stream, streams.indexOf(filled[0]!), streams.indexOf(stream));
  const starts = shardStarts(streams.map(({ shardSizes }) => shardSizes.length));
  const samples = streams.map(({ shardSizes }) => shardSizes.reduce((a, b) => a + b, 0));
  const known = streams.filter(({ sampleBytes }, at) => sampleBytes !== undefined && samples[at]! > 0);
  const bytes = known.reduce((sum, stream) => sum + stream.sampleBytes! * samples[streams.indexOf(stream)]!, 0);
  const counted = known.reduce((sum, stream) => sum + samples[streams.indexOf(stream)]!, 0);
  return {
    schema,
    shardSizes: streams.flatMap(({ shardSizes }) => shardSizes),
    shardBytes: streams.flatMap(({ shardBytes }) => shardBytes),
    sampleBytes: counted === 0 ? undefined : bytes / counted,
    identity: createHash('sha256')
      .update(streams.map(({ identity }) => identity).join('\n'))
      .digest('hex')
      .slice(0, 32),
    pin: (shard, signal) => {
      const stream = stretchAt(starts, shard);
      return streams[stream]!.pin(shard - starts[stream]!, signal);
    },
    expect: (shards) => {
      for (const [at, stream] of streams.entries()) {
        stream.expect(within(shards, starts[at]!, starts[at + 1]!));
      }
    },
    close: async () => {
      await Promise.all(streams.map((stream) => stream.close()));
    },
  };
}

function* within(shards: Iterable<number>, from: number, to: number): Generator<number, void, undefined> {
  for (const shard of shards) if (shard >= from && shard < to) yield shard - from;
}

function checkColumns(a: SampleShards, b: SampleShards, first: number, second: number): void {
  const [left, right] = [a.schema.fields, b.schema.fields];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const [one, other] = [left[at], right[at]];
    if (one?.name === other?.name && one !== undefined && sameType(one.type, other!.type)) continue;
    const word = (field: typeof one): string => (field === undefined ? 'nothing' : `'${field.name}' (${field.type})`);
    throw new SpiralError(
      'type_mismatch',
      `Expected the same columns in all streams, but column ${at} is ${word(one)} in stream ${first} and ${word(other)} in ` +
        `stream ${second}. Write them with the same columns, or read them apart.`,
      { details: { column: at, streams: [first, second] } },
    );
  }
}
