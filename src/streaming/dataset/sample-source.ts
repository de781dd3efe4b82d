import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { recordBatch } from '../../arrow/record-batch.js';
import { dataOf } from '../../arrow/stored-cells.js';
import { SpiralError } from '../../core/errors.js';
import type { ModuleRecipe } from '../../loader/feeder-source.js';
import type { GivenRows, LoaderSource, OpenSource, SourceIdentity } from '../../loader/source.js';
import { Shard } from '../../sharding/shard.js';
import type { World } from '../../sharding/world.js';
import { withoutSecrets } from '../../storage/shown-uri.js';
import type { MosaicPosition } from '../mosaic/mosaic-position.js';
import { OrderedSamples } from '../samples/ordered-samples.js';
import { SampleReader } from '../samples/sample-reader.js';
import type { SampleShards } from '../samples/sample-shards.js';
import { EpochOrders } from './epoch-orders.js';
import { type OpenStreams, type SharedPlaces, type StreamIndexes, sharePlaces } from './open-streams.js';
import { orderIdentity, type StreamingSettings } from './streaming-options.js';

/** A data set that is open: its shards, a reader of them, and the order that its settings ask for. */
export interface OpenSamples {
  readonly shards: SampleShards;
  readonly reader: SampleReader;
  readonly indexes: StreamIndexes;
  /** Made on first use: random access needs none. */
  readonly orders: EpochOrders;
}

/** The shards of `settings`, read. Its `orders` throw as `NativeOrder` and `MosaicOrder` do for what does not fit the data. */
export function openSamples(settings: StreamingSettings, { shards, counts, indexes }: OpenStreams): OpenSamples {
  let orders: EpochOrders | undefined;
  return {
    shards,
    reader: new SampleReader(shards),
    indexes,
    get orders(): EpochOrders {
      orders ??= new EpochOrders(settings, shards, counts);
      return orders;
    },
  };
}

/** What crosses to a feeder's thread. */
export interface SharedSamples {
  readonly settings: StreamingSettings;
  readonly begin: MosaicPosition;
  readonly places: SharedPlaces['places'];
  readonly tables: SharedPlaces['tables'];
  /** Where the {@link StreamIndexes} come, once they are read; closed where they cannot be. */
  readonly indexes: MessagePort;
}

/** Opens a data set in another thread. */
export const samplesModule = 'streaming/dataset/reopen-samples.js';

/** A data set from `begin` on, as loaders read it. */
export class SampleSource implements LoaderSource {
  readonly identity: SourceIdentity;
  readonly recipe: ModuleRecipe;
  readonly #open: () => Promise<OpenSamples>;
  readonly #begin: MosaicPosition;
  readonly #settings: StreamingSettings;

  constructor(settings: StreamingSettings, begin: MosaicPosition, open: () => Promise<OpenSamples>) {
    this.identity = { ...orderIdentity(settings), begin: beginText(begin) };
    this.#open = open;
    this.#begin = begin;
    this.#settings = settings;
    // What a table is read with, its scan decides.
    const isMds = settings.streams.every(({ stream }) => stream === undefined);
    this.recipe = {
      module: samplesModule,
      bundle: isMds ? 'loader/samples-feeder-bundle.js' : undefined,
      share: () => {
        const { ports, close, ...shared } = sharePlaces(settings);
        const { port1, port2 } = new MessageChannel();
        open().then(
          ({ indexes }) => port1.postMessage(indexes),
          () => port1.close(),
        );
        const data: SharedSamples = { ...shared, begin, indexes: port2 };
        const closeAll = (): void => {
          port1.close();
          close();
        };
        return { data, ports: [...ports, port2], close: closeAll };
      },
    };
  }

  async openSource(): Promise<OpenSource> {
    const open = await this.#open();
    if (open.reader.places.samples === 0) throw noSamples(this.#settings);
    return samplesSource(open, this.#begin);
  }
}

/** The error of a data set that holds nothing. */
export function noSamples({ streams }: StreamingSettings): SpiralError {
  const places = streams.map(({ stream, remote, local }) =>
    stream === undefined ? withoutSecrets(remote ?? local!) : 'a table',
  );
  return new SpiralError(
    'no_rows',
    `Expected samples in ${places.join(', ')}, found none. Check the place and the split, or write samples first.`,
    { details: { places } },
  );
}

/** The first position as it stands in states. */
export function beginText(begin: MosaicPosition): string {
  const { epoch, sampleInEpoch, numCanonicalNodes, shuffleSeed, initialPhysicalNodes } = begin;
  return [epoch, sampleInEpoch, numCanonicalNodes, shuffleSeed, initialPhysicalNodes].map((one) => one ?? '').join(':');
}

/** What {@link beginText} said; undefined where it is no such text. */
export function parseBegin(text: unknown): MosaicPosition | undefined {
  if (typeof text !== 'string' || !/^\d+:\d+(:\d*){3}$/.test(text)) return undefined;
  const [epoch, sampleInEpoch, numCanonicalNodes, shuffleSeed, initialPhysicalNodes] = text
    .split(':')
    .map((one) => (one === '' ? undefined : Number(one)));
  const order = { numCanonicalNodes, shuffleSeed, initialPhysicalNodes };
  return { epoch: epoch!, sampleInEpoch: sampleInEpoch!, ...order };
}

/** `begin` of the epoch that it lies in, else the start of `epoch`. */
export function positionIn(begin: MosaicPosition, epoch: number): MosaicPosition {
  return epoch === begin.epoch ? begin : { ...begin, epoch, sampleInEpoch: 0 };
}

/** Open samples as a source: natural shards, each epoch in the order of the data set. */
export function samplesSource(open: OpenSamples, begin: MosaicPosition): OpenSource {
  const { shards, reader } = open;
  const { schema, sampleBytes, identity } = shards;
  const natural = shards.shardSizes.map(
    (rows, part) => new Shard({ begin: null, end: null }, rows, rows === 0 ? [] : [{ part, from: 0, to: rows }]),
  );
  let last: { readonly key: string; readonly samples: OrderedSamples } | undefined;
  return {
    schema,
    shards: natural,
    filtered: false,
    bytesPerRow: sampleBytes,
    identity: { '@data': identity },
    checkShards: () => {
      throw new SpiralError('invalid_shards', 'Expected no `shards`: a streaming data set deals its samples itself.');
    },
    blockEnd: (shard, row) =>
      Math.min(shard.physicalRows, (Math.floor(row / reader.places.rows) + 1) * reader.places.rows),
    readBlock: async (shard, from, to, signal) => {
      const { columns } = await reader.readRows(natural.indexOf(shard), from, to, signal);
      return { batch: recordBatch(schema, columns.map(dataOf), to - from), rows: undefined };
    },
    inEpoch: async (epoch: number, world: World, past: readonly GivenRows[]) => {
      const key = JSON.stringify([epoch, world.worldSize, past]);
      if (last?.key !== key) {
        last = { key, samples: new OrderedSamples(reader, open.orders.ranks(positionIn(begin, epoch), world, past)) };
      }
      return last.samples;
    },
  };
}
