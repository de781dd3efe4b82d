import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SpiralError, shown } from '../core/errors.js';
import { storeConcurrency } from '../core/limits.js';
import { azStore } from './az-store.js';
import { fileStore } from './file-store.js';
import { gsStore } from './gs-store.js';
import { hedgedStore } from './hedged-store.js';
import { httpStore } from './http-store.js';
import { limitedStore } from './limited-store.js';
import { memoryStore } from './memory-store.js';
import { Pace } from './pace.js';
import { markReopenable, reopenUri } from './reopenable.js';
import { Retrier } from './retrier.js';
import { retryStore } from './retry-store.js';
import { s3Store } from './s3-store.js';
import { shownUri, withoutSecrets } from './shown-uri.js';
import type { ObjectStore } from './store.js';
import { StoreMeter } from './store-meter.js';
import type { StoreSettings } from './store-settings.js';
import { subStore } from './sub-store.js';
import { checkWellFormed } from './well-formed.js';

/**
 * The store at `uri`: a path (relative ones from the working directory), `file:///folder`, `memory://name` with an
 * optional `/prefix`, `s3://bucket/folder`, `gs://bucket/folder`, `az://container/folder`, or `http://host/folder` or `https://…`,
 * read only. Touches nothing: a folder that is missing is made by the first write. Of far ones, operations that fail in a way
 * that may pass are tried again, and `settings` says how much is asked of them; what is cached is up to `StoreCaches`.
 *
 * @throws SpiralError `unsupported` for any other scheme, `invalid_argument` for a URI that is malformed.
 */
export function openStore(uri: string, settings: StoreSettings = {}): ObjectStore {
  if (typeof uri !== 'string' || uri === '') {
    throw new SpiralError('invalid_argument', `Expected the URI of a store or a path, got ${shown(uri)}.`, {
      details: { found: shown(uri) },
    });
  }
  checkWellFormed(uri);
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  if (scheme === undefined) return fileStore(resolve(uri));
  if (scheme === 'file') return fileStore(folderOf(uri));
  if (scheme === 'memory') return openMemory(uri);
  if (scheme === 'http' || scheme === 'https') return farStore(settings, () => httpStore(uri));
  const bucketStore = bucketStores.get(scheme);
  if (bucketStore !== undefined) return farStore(settings, (retrier) => bucketStore(uri, retrier));
  // The URI itself may hold credentials: only its scheme is repeated.
  throw new SpiralError(
    'unsupported',
    `Expected a path, file://, memory://, s3://, gs://, az://, http:// or https:// as the place of a store, got ${scheme}://. Copy the data to a local folder and open that.`,
    { details: { scheme, supported: ['file', 'memory', 's3', 'gs', 'az', 'http', 'https'] } },
  );
}

const bucketStores: ReadonlyMap<string, (uri: string, retrier: Retrier) => ObjectStore> = new Map([
  ['s3', s3Store],
  ['gs', gsStore],
  ['az', azStore],
]);

/** The store that `make` gives, with failures that may pass tried again, as much at once as `settings` say, and counted. */
function farStore(settings: StoreSettings, make: (retrier: Retrier) => ObjectStore): ObjectStore {
  const meter = settings.meter === undefined ? undefined : new StoreMeter(settings.meter);
  const retrier = new Retrier({
    ...(settings.triesMax === undefined ? {} : { triesMax: settings.triesMax }),
    onRetry: () => meter?.add('retries'),
  });
  const store = make(retrier);
  const { concurrency = storeConcurrency, bytesPerSecond, hedgeQuantile } = settings;
  const pace = bytesPerSecond === undefined ? undefined : new Pace(bytesPerSecond, settings.pace);
  const limited = limitedStore(markReopenable(retryStore(store, retrier), reopenUri(store)), {
    concurrency,
    pace,
    meter,
  });
  return hedgeQuantile === undefined ? limited : hedgedStore(limited, { quantile: hedgeQuantile, meter });
}

function folderOf(uri: string): string {
  try {
    const url = new URL(uri);
    if (url.search !== '' || url.hash !== '') throw new Error("A '?' or '#' in a folder's name is written %3F or %23.");
    return fileURLToPath(url);
  } catch (cause) {
    throw malformed(uri, 'file:///folder, absolute and percent-encoded (or pass the plain path)', cause);
  }
}

function openMemory(uri: string): ObjectStore {
  const expected = 'memory://name or memory://name/prefix, percent-encoded';
  const [name, ...folders] = uri
    .slice('memory://'.length)
    .split('/')
    .map((part) => decoded(uri, part, expected));
  if (folders.at(-1) === '') folders.pop();
  if (name === undefined || name === '') throw malformed(uri, expected);
  const store = memoryStore(name);
  return folders.length === 0 ? store : subStore(store, folders.join('/'));
}

function decoded(uri: string, part: string, expected: string): string {
  try {
    return decodeURIComponent(part);
  } catch (cause) {
    throw malformed(uri, expected, cause);
  }
}

function malformed(uri: string, expected: string, cause?: unknown): SpiralError {
  return new SpiralError('invalid_argument', `Expected ${expected}, got ${shownUri(uri)}.`, {
    details: { uri: withoutSecrets(uri) },
    cause,
  });
}
