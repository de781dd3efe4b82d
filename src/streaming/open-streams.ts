import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { openStore } from '../storage/open-store.js';
import { portStore } from '../storage/port-store.js';
import { reopenUri } from '../storage/reopenable.js';
import { serveStore } from '../storage/serve-store.js';
import type { ObjectStore } from '../storage/store.js';
import { joinShards } from './joined-shards.js';
import { openMdsSamples } from './mds-samples.js';
import type { SampleShards } from './sample-shards.js';
import type { StreamSettings } from './stream-options.js';
import type { StreamingSettings } from './streaming-options.js';

/** The shards of all streams, one stream after the other. */
export interface OpenStreams {
  readonly shards: SampleShards;
  /** Shards of each stream. */
  readonly counts: readonly number[];
}

/** Opens a place of a stream; in another thread some are served by the one that has them. */
export type StoreOpener = (uri: string) => ObjectStore;

/**
 * Opens the streams of `settings`.
 *
 * @throws SpiralError `not_found` where a stream has no index, `type_mismatch` where streams differ in their columns, and as
 * reading an index does.
 */
export async function openStreams(settings: StreamingSettings, open: StoreOpener = openStore): Promise<OpenStreams> {
  const { streams } = settings;
  const opened: SampleShards[] = [];
  try {
    for (const stream of streams) opened.push(await openStream(stream, settings, open));
    return { shards: joinShards(opened), counts: opened.map(({ shardSizes }) => shardSizes.length) };
  } catch (error) {
    await Promise.all(opened.map((stream) => stream.close()));
    throw error;
  }
}

function openStream(
  { remote, local, downloadRetry, downloadTimeoutMs, validateHash, keepZip }: StreamSettings,
  { cacheLimit, predownload }: StreamingSettings,
  open: StoreOpener,
): Promise<SampleShards> {
  return openMdsSamples({
    remote: remote === undefined ? undefined : open(remote),
    local,
    downloadRetry,
    downloadTimeoutMs,
    validateHash,
    keepZip,
    cacheLimitBytes: cacheLimit,
    predownload,
  });
}

/** The places of `settings` that another thread cannot open, each with a port over which this thread serves it. */
export interface SharedPlaces {
  readonly places: readonly { readonly uri: string; readonly port: MessagePort }[];
  close(): void;
}

export function sharePlaces({ streams }: StreamingSettings): SharedPlaces {
  const servers: { close(): void }[] = [];
  const places: { uri: string; port: MessagePort }[] = [];
  for (const uri of new Set(streams.flatMap(({ remote }) => (remote === undefined ? [] : [remote])))) {
    const store = openStore(uri);
    if (reopenUri(store) !== undefined) continue;
    const { port1, port2 } = new MessageChannel();
    servers.push(serveStore(store, port1));
    places.push({ uri, port: port2 });
  }
  return {
    places,
    close: () => {
      for (const server of servers.splice(0)) server.close();
    },
  };
}

/** Opens what is served over a port by that, all else by its URI. */
export function sharedOpener(places: SharedPlaces['places']): StoreOpener {
  const ports = new Map(places.map(({ uri, port }) => [uri, port]));
  return (uri) => {
    const port = ports.get(uri);
    return port === undefined ? openStore(uri) : portStore(port, uri);
  };
}
