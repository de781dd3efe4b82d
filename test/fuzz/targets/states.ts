import { decodeCheckpoint, encodeCheckpoint } from '../../../src/adapters/tfjs/checkpoint-file.js';
import { checksum } from '../../../src/arrow/checksum.js';
import { Spiral } from '../../../src/client/spiral.js';
import { SpiralError } from '../../../src/core/errors.js';
import { SpiralDataLoader } from '../../../src/loader/data-loader.js';
import type { DataLoaderOptions } from '../../../src/loader/options.js';
import type { LoaderState } from '../../../src/loader/state.js';
import { skipSteps } from '../../../src/loader/state-move.js';
import { whichRows } from '../../../src/loader/which-rows.js';
import { Shard } from '../../../src/sharding/shard.js';
import { World } from '../../../src/sharding/world.js';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import { MemorySource } from '../../loader/memory-source.js';
import {
  byteInputs,
  expectSame,
  type FuzzTarget,
  jsonBytes,
  type OpenTarget,
  textOf,
  valueInputs,
} from '../fuzz-target.js';
import { mutateBytes, pick } from '../mutate-bytes.js';
import { mutateText } from '../mutate-text.js';
import { mutateValue, type Plain } from '../mutate-value.js';

const source = new MemorySource({ shards: [7, 4, 0, 9], batchRows: 3 });
/** Batches that are read of what goes on from a state: enough for one that ends an epoch. */
const batchesRead = 3;

/** What stands in a file: anything that JSON can be. Text that is none is not ours to parse. */
function fromFile(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes));
  } catch (cause) {
    throw new SpiralError('invalid_state', 'Expected JSON.', { cause });
  }
}

async function loaderStates(): Promise<LoaderState[]> {
  const states: LoaderState[] = [];
  const settings: DataLoaderOptions<unknown>[] = [
    { batchSize: 3 },
    { batchSize: 2, shuffleBufferSize: 5, interleaveShards: 2, shuffleChunkRows: 2, infinite: true, uneven: 'split' },
    { batchSize: 4, shards: (await source.openSource()).shards.slice(0, 2), rowErrors: { max: 2 }, maxSteps: 9 },
    { batchSize: 2, world: new World({ rank: 1, worldSize: 2 }), dropLast: true, uneven: 'pad' },
  ];
  for (const options of settings) {
    const loader = new SpiralDataLoader(source, { ...options, feeder: false });
    states.push(loader.stateDict());
    for await (const _ of loader) if (states.push(loader.stateDict()) % 4 === 0) break;
    await loader.close();
  }
  const [first] = states;
  return [
    ...states,
    SpiralDataLoader.fromStateDict(source, [first!], { world: new World({ rank: 1, worldSize: 3 }) }).stateDict(),
  ];
}

/** All that is done with a state: looked at, moved, and gone on from. */
async function goOn(state: LoaderState | readonly LoaderState[], world?: World): Promise<void> {
  const given = world === undefined ? {} : { world };
  const loader = SpiralDataLoader.fromStateDict(source, state, { feeder: false, ...given });
  try {
    let batches = 0;
    for await (const batch of loader) if (batch.numRows > 0 && ++batches === batchesRead) break;
    loader.stateDict();
    await loader.plan();
  } finally {
    await loader.close();
  }
}

async function openLoaderStates(): Promise<OpenTarget> {
  const states = (await loaderStates()) as unknown as Plain[];
  const steps = [-1, 2];
  return valueInputs(states, jsonBytes, async (bytes) => {
    const state = fromFile(bytes) as LoaderState;
    await goOn(state);
    for (const by of steps) {
      const moved = skipSteps(state, Math.max(by, -Math.min(state.step, 1)));
      await goOn(moved).catch(unlessRefused);
    }
    await whichRows(source, state, state.step).catch(unlessRefused);
    await goOn([state], new World({ rank: 0, worldSize: 2 })).catch(unlessRefused);
    await SpiralDataLoader.explainResume(source, [state], new World({ rank: 1, worldSize: 3 })).catch(unlessRefused);
  });
}

/** Of several things done with one state each may be refused. */
function unlessRefused(error: unknown): void {
  if (!(error instanceof SpiralError) || error.kind === 'internal') throw error;
}

/** The states of all ranks, for another world. */
async function openRankStates(): Promise<OpenTarget> {
  const worldOf = (rank: number, worldSize: number): World => new World({ rank, worldSize });
  const ranks = await Promise.all(
    [0, 1].map(async (rank) => {
      const loader = new SpiralDataLoader(source, {
        batchSize: 2,
        feeder: false,
        world: worldOf(rank, 2),
        uneven: 'split',
      });
      for await (const _ of loader) break;
      return loader.stateDict();
    }),
  );
  return valueInputs([ranks as unknown as Plain], jsonBytes, async (bytes) => {
    const states = fromFile(bytes) as LoaderState[];
    await goOn(states, worldOf(1, 2));
    await goOn(states, worldOf(2, 3)).catch(unlessRefused);
    await SpiralDataLoader.explainResume(source, states, worldOf(0, 1)).catch(unlessRefused);
  });
}

/** A scan from its JSON, over a table and over files, with shards from theirs. */
async function openScans(): Promise<OpenTarget> {
  const spiral = new Spiral({ config: { 'warehouse.uri': 'memory://fuzz-scans' } });
  const project = await spiral.createProject('p');
  const tables = await Promise.all(['a', 'b'].map((name) => project.createTable(name, { keySchema: { id: 'int32' } })));
  for (const table of tables)
    await table.write([1, 2, 3].map((id) => ({ id, [`${table.name}x`]: `x${id}`, s: { v: id } })));
  const [a, b] = tables;
  await (await spiral.scan(a!)).toJsonl('memory://fuzz-scans/rows.jsonl');
  const files = await spiral.files('memory://fuzz-scans/rows.jsonl');
  const scans = [
    await spiral.scan(a!.select('ax', 's.v'), { where: a!.col('id').gte(2) }),
    await spiral.scan([a!, b!.select('bx')]),
    await spiral.scan(files, { where: files.col('id').in([1, 3]) }),
  ];
  const values = await Promise.all(
    scans.map(async (scan) => ({
      scan: JSON.parse(scan.stateJson()) as Plain,
      shards: JSON.parse(JSON.stringify(await scan.shards())) as Plain,
    })),
  );
  return valueInputs(values, jsonBytes, async (bytes) => {
    const input = fromFile(bytes) as { scan?: { files?: { root?: unknown } }; shards?: unknown } | null;
    const root = input?.scan?.files?.root;
    // Others would be looked for on this machine's disk, or on the web.
    if (root !== undefined && (typeof root !== 'string' || !root.startsWith('memory://'))) {
      throw new SpiralError('unsupported', 'Not a place to be looked at here.');
    }
    const scan = await spiral.resumeScan(JSON.stringify(input?.scan ?? null));
    await scan.toRows();
    scan.stateJson();
    const shards = Array.isArray(input?.shards) ? input.shards : [input?.shards];
    await scan.toRows({ shards: shards.map((shard) => Shard.fromJSON(shard)) }).catch(unlessRefused);
  });
}

/** States of data sets of both orders, MosaicML's own five fields among them. */
async function openStreamingStates(): Promise<OpenTarget> {
  const remote = 'memory://fuzz-streaming';
  const writer = new MDSWriter({ out: remote, columns: { id: 'int' }, sizeLimit: 200 });
  for (let id = 0; id < 40; id++) await writer.write({ id: BigInt(id) });
  await writer.finish();
  const world = { rank: 1, worldSize: 2 };
  const make = (order: 'native' | 'mosaic'): StreamingDataset =>
    new StreamingDataset({ remote, order, shuffle: true, batchSize: 4, world, shuffleSeed: 5 });
  const seeds: Plain[] = [
    { epoch: 1, sample_in_epoch: 8, num_canonical_nodes: 2, shuffle_seed: 9, initial_physical_nodes: 1 },
  ];
  for (const order of ['native', 'mosaic'] as const) {
    const dataset = make(order);
    let batches = 0;
    for await (const _ of dataset.batches({ feeder: false })) if (++batches === 2) break;
    seeds.push((await dataset.stateDict(8, false)) as unknown as Plain);
    await dataset.close();
  }
  return valueInputs(seeds, jsonBytes, async (bytes) => {
    const state = fromFile(bytes);
    let refusals = 0;
    let refusal: unknown;
    for (const order of ['native', 'mosaic'] as const) {
      const dataset = make(order);
      try {
        dataset.loadStateDict(state);
        let batches = 0;
        for await (const _ of dataset.batches({ feeder: false })) if (++batches === 2) break;
        await dataset.stateDict(4, false);
      } catch (error) {
        unlessRefused(error);
        refusals++;
        refusal = error;
      } finally {
        await dataset.close();
      }
    }
    // A state of one order is refused by the other.
    if (refusals === 2) throw refusal;
  });
}

/** A training checkpoint: whole as it was, or refused. */
async function openTrainingFiles(): Promise<OpenTarget> {
  const values = Float32Array.of(1, 2, 3, 4);
  const weights = [{ name: 'w', shape: [2, 2], dtype: 'float32' as const, values }];
  const model = { weights, slots: weights, variables: [], optimizer: 'adam' };
  const seed = new Uint8Array(Buffer.concat(encodeCheckpoint({ model, loader: { step: 1 }, extra: null })));
  const expected = decodeCheckpoint(seed, 'it');
  return byteInputs([seed], async (bytes) => expectSame(decodeCheckpoint(bytes, 'it'), expected, 'a checkpoint'));
}

/** The same with a header that was changed, and its checksum mended. */
async function openTrainingHeaders(): Promise<OpenTarget> {
  const [seed] = (await openTrainingFiles()).seeds;
  const file = Buffer.from(seed!);
  const bodyStart = 20 + file.readUInt32LE(12);
  const header = JSON.parse(file.toString('utf8', 20, bodyStart)) as Plain;
  const text = JSON.stringify(header);
  const withHeader = (head: Uint8Array): Uint8Array => {
    const prefix = Buffer.from(file.subarray(0, 20));
    prefix.writeUInt32LE(head.length, 12);
    prefix.writeUInt32LE(checksum(head), 16);
    return new Uint8Array(Buffer.concat([prefix, head, file.subarray(bodyStart)]));
  };
  return {
    seeds: [seed!],
    parse: async (bytes) => decodeCheckpoint(bytes, 'it'),
    input: (draw) => {
      const kind = draw.below(4);
      if (kind === 0) return withHeader(mutateBytes(Buffer.from(text), draw));
      if (kind === 1) return withHeader(Buffer.from(mutateText(text, draw, pick([text], draw))));
      return withHeader(jsonBytes(mutateValue(header, draw)));
    },
  };
}

export const stateTargets: readonly FuzzTarget[] = [
  { name: 'state of a loader', ci: 25, long: 5_000, open: openLoaderStates },
  { name: 'states of all ranks', ci: 40, long: 15_000, open: openRankStates },
  { name: 'state of a scan, and shards', ci: 25, long: 8_000, open: openScans },
  { name: 'state of a streaming data set', ci: 6, long: 1_000, open: openStreamingStates },
  { name: 'training checkpoint', ci: 60, long: 30_000, open: openTrainingFiles },
  { name: 'training checkpoint, checksums mended', ci: 80, long: 60_000, open: openTrainingHeaders },
];
