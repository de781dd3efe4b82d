import type { Shard, Table } from '../index.js';
import type { Call, CommandSpec } from './command.js';
import { done } from './failure.js';
import { openScan, openSource, queryOf, queryOptions, sourceArgument, timeOf } from './source.js';

/** `spiral shards`. */
export const shardsCommand: CommandSpec = {
  words: ['shards'],
  about: 'list the shards of a scan: as rows are stored, or cut to --rows',
  arguments: [sourceArgument],
  options: [
    ...queryOptions,
    {
      name: 'rows',
      value: 'count',
      kind: 'count',
      about: 'cut into shards of at most so many rows, those that --where leaves',
    },
  ],
  examples: ['shards demo/images', "shards demo/images --rows 10000 --where 'label is not null' --json"],
  stops: true,
  run: async (call) => {
    const { out } = call;
    const shards = await shardsOf(call);
    const rows = shards.map(({ cardinality, physicalRows, keyRange }, at) => [
      String(at),
      out.count(cardinality),
      out.count(physicalRows),
      keyText(keyRange.begin),
      keyText(keyRange.end),
    ]);
    const right = true;
    const columns = [
      { name: 'shard', right },
      { name: 'rows', right },
      { name: 'stored', right },
      { name: 'from key' },
      { name: 'to key' },
    ] as const;
    await out.table(columns, rows, shards);
    return done;
  },
};

async function shardsOf(call: Call): Promise<readonly Shard[]> {
  const { door, line, spiral, signal } = call;
  const most = line.count('rows');
  if (most === undefined) return (await openScan(call)).shards();
  const source = await openSource(call);
  const { projection, where } = queryOf(door, line, source);
  const asof = line.text('asof');
  return spiral.computeShards(most, projection, {
    signal,
    ...(where && { where }),
    ...(asof !== undefined && { asof: await timeOf(asof, source as Table) }),
  });
}

/** An encoded key, as `docs/format.md` has it, in hexadecimal; nothing for a range without an end. */
function keyText(bytes: Uint8Array | null): string {
  return bytes === null ? '' : Buffer.from(bytes).toString('hex');
}
