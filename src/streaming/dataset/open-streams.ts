import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { openStore } from '../../storage/open-store.js';
import { portStore } from '../../storage/port-store.js';
import { reopenUri } from '../../storage/reopenable.js';
import { serveStore } from '../../storage/serve-store.js';
import type { ObjectStore } from '../../storage/store.js';
import type { StoreSettings } from '../../storage/store-settings.js';
import type { MdsIndex } from '../mds/mds-remote-index.js';
import { type MdsSamples, openMdsSamples } from '../mds/mds-samples.js';
import { joinShards } from '../samples/joined-shards.js';
import type { SampleShards } from '../samples/sample-shards.js';
import { type SharedStream, SpiralStream } from '../table/spiral-stream.js';
import type { StreamSettings } from './stream-options.js';
import type { StreamingSettings } from './streaming-options.js';

/** The shards of all streams, one stream after the other. */
export interface OpenStreams {
  readonly shards: SampleShards;
  /** Shards of each stream. */
  readonly counts: readonly number[];
  /** The index of each stream that has one: with these the same is open at once elsewhere. */
  readonly indexes: StreamIndexes;
}

/** Plain data: the indexes of streams, undefined for one of a table. */
export type StreamIndexes = readonly (MdsIndex | undefined)[];

/** Opens a place of a stream; in another thread some are served by the one that has them. */
export type StoreOpener = (uri: string, options: StoreSettings) => ObjectStore;

/**
 * Opens the streams of `settings`.
 *
 * @throws SpiralError `not_found` where a stream has no index, `type_mismatch` where streams differ in their columns, and as
 * reading an index does.
 */
export async function openStreams(
  settings: StreamingSettings,
  open: StoreOpener = openStore,
  tables: SharedPlaces['tables'] = [],
  known: StreamIndexes = [],
): Promise<OpenStreams> {
  const opened: SampleShards[] = [];
  const indexes: (MdsIndex | undefined)[] = [];
  try {
    for (const [at, stream] of settings.streams.entries()) {
      const table = tables[at];
      if (table !== undefined) opened.push(await SpiralStream.reopen(table));
      else if (stream.stream !== undefined) opened.push(borrowed(stream.stream));
      else {
        const samples = await openStream(stream, settings, open, known[at]);
        indexes[at] = samples.index;
        opened.push(samples);
      }
    }
    return { shards: joinShards(opened), counts: opened.map(({ shardSizes }) => shardSizes.length), indexes };
  } catch (error) {
    await Promise.all(opened.map((stream) => stream.close()));
    throw error;
  }
}

function openStream(
  { remote, local, downloadRetry, downloadTimeoutMs, validateHash, keepZip }: StreamSettings,
  { cacheLimit, predownload, streams, intsAsText }: StreamingSettings,
  open: StoreOpener,
  index: MdsIndex | undefined,
): Promise<MdsSamples> {
  const caches = streams.filter((stream) => stream.remote !== undefined && stream.local !== undefined).length;
  return openMdsSamples({
    remote: remote === undefined ? undefined : open(remote, { triesMax: requestTries(local, downloadRetry) }),
    local,
    downloadRetry,
    downloadTimeoutMs,
    validateHash,
    keepZip,
    cacheLimitBytes: cacheLimit === undefined ? undefined : Math.floor(cacheLimit / Math.max(1, caches)),
    predownload,
    intsAsText,
    index,
  });
}

/** Tries of a request: one who says how often a file is tried again means all tries, and of what a cache fetches it counts these. */
function requestTries(local: string | undefined, downloadRetry: number | undefined): number | undefined {
  if (downloadRetry === undefined) return undefined;
  return local === undefined ? downloadRetry + 1 : 1;
}

/** Shards of a stream that stays open for whoever made it. */
function borrowed(stream: SpiralStream): SampleShards {
  const { schema, shardSizes, shardBytes, sampleBytes, identity } = stream;
  return {
    ...{ schema, shardSizes, shardBytes, sampleBytes, identity },
    pin: (shard, signal) => stream.pin(shard, signal),
    expect: (shards) => stream.expect(shards),
    close: async () => {},
  };
}

/** What of the streams of `settings` another thread cannot open by itself. */
export interface SharedPlaces {
  /** The settings, without what belongs to this thread. */
  readonly settings: StreamingSettings;
  /** Places that this thread serves, each over a port. */
  readonly places: readonly { readonly uri: string; readonly port: MessagePort }[];
  /** For each stream, the table's that it is. */
  readonly tables: readonly (SharedStream | undefined)[];
  /** All ports, to be transferred. */
  readonly ports: readonly MessagePort[];
  close(): void;
}

export function sharePlaces(settings: StreamingSettings): SharedPlaces {
  const { streams } = settings;
  const servers: { close(): void }[] = [];
  const shared = streams.map(({ stream }) => stream?.share());
  servers.push(...shared.filter((one) => one !== undefined));
  const places: { uri: string; port: MessagePort }[] = [];
  for (const uri of new Set(streams.flatMap(({ remote }) => (remote === undefined ? [] : [remote])))) {
    const store = openStore(uri);
    if (reopenUri(store) !== undefined) continue;
    const { port1, port2 } = new MessageChannel();
    servers.push(serveStore(store, port1));
    places.push({ uri, port: port2 });
  }
  return {
    settings: { ...settings, streams: streams.map((stream) => ({ ...stream, stream: undefined })) },
    places,
    tables: shared.map((one) => one?.data),
    ports: [...places.map(({ port }) => port), ...shared.flatMap((one) => one?.ports ?? [])],
    close: () => {
      for (const server of servers.splice(0)) server.close();
    },
  };
}

/** Opens what is served over a port by that, all else by its URI. */
export function sharedOpener(places: SharedPlaces['places']): StoreOpener {
  const ports = new Map(places.map(({ uri, port }) => [uri, port]));
  return (uri, options) => {
    const port = ports.get(uri);
    return port === undefined ? openStore(uri, options) : portStore(port, uri);
  };
}
