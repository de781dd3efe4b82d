import { afterAll, beforeAll, describe, it } from 'vitest';
import { type CacheRule, cachedStore } from '../../src/storage/cached-store.js';
import { fileStore, scratchStore } from '../../src/storage/file-store.js';
import { hedgedStore } from '../../src/storage/hedged-store.js';
import { httpStore } from '../../src/storage/http-store.js';
import { limitedStore } from '../../src/storage/limited-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { Pace } from '../../src/storage/pace.js';
import { PieceCache } from '../../src/storage/piece-cache.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { StoreMeter } from '../../src/storage/store-meter.js';
import { subStore } from '../../src/storage/sub-store.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { lawsOn, type StoreLaw, type StoreUnderTest, storeLaws } from '../../src/testing/store-laws.js';
import { type Azurite, azurite, azuriteFolder, onAzurite } from './azurite.js';
import { type FileServerOptions, fileServer } from './file-server.js';
import { gcsServer, useGcs } from './gcs-server.js';
import { pipeLaws } from './pipe-laws.js';
import { onS3, s3Endpoint, s3Folder } from './s3-gateway.js';
import { storeOfThread } from './serving-thread.js';
import { temporaryFolder } from './temporary-folder.js';

async function files(): Promise<StoreUnderTest> {
  const folder = await temporaryFolder();
  return { store: fileStore(folder.path), dispose: () => folder[Symbol.asyncDispose]() };
}

async function scratchFiles(): Promise<StoreUnderTest> {
  const folder = await temporaryFolder();
  return { store: scratchStore(folder.path), dispose: () => folder[Symbol.asyncDispose]() };
}

async function memory(): Promise<StoreUnderTest> {
  return { store: memoryStore(), dispose: async () => {} };
}

/** With neighbours that a view must not see. */
async function below(makeParent: () => Promise<StoreUnderTest>): Promise<StoreUnderTest> {
  const { store, dispose } = await makeParent();
  await store.put('deep/er-not/x', new Uint8Array(1));
  await store.put('deep/z', new Uint8Array(1));
  return {
    store: subStore(store, 'deep/er'),
    dispose: async () => {
      await store.close();
      await dispose();
    },
  };
}

/** A folder that is written to as files, and read by way of a web server. */
async function served(options: FileServerOptions = {}): Promise<StoreUnderTest> {
  const folder = await temporaryFolder();
  const server = await fileServer(folder.path, options);
  const files = fileStore(folder.path);
  const web = httpStore(server.url);
  const store: ObjectStore = {
    uri: web.uri,
    get: (...args) => web.get(...args),
    getRange: (...args) => web.getRange(...args),
    getTail: (...args) => web.getTail(...args),
    head: (...args) => web.head(...args),
    put: (...args) => files.put(...args),
    putIfAbsent: (...args) => files.putIfAbsent(...args),
    delete: (...args) => files.delete(...args),
    list: async function* (prefix, options) {
      for await (const { path } of files.list(prefix, options)) yield (await web.head(path, options))!;
    },
    close: async () => {
      await files.close();
      await web.close();
    },
  };
  return {
    store,
    dispose: async () => {
      await server[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** A folder of a bucket of Google's. */
async function google(): Promise<StoreUnderTest> {
  const server = await gcsServer({ pageSize: 3 });
  useGcs(server.url);
  const store = openStore(`gs://bucket/folder ${encodeURIComponent('ü')}`);
  return {
    store,
    dispose: async () => {
      useGcs(undefined);
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Far objects by way of a cache in memory and on a disk, in pieces small enough that most objects have several. */
async function cached(by: CacheRule['by'], makeFar: () => Promise<StoreUnderTest>): Promise<StoreUnderTest> {
  const far = await makeFar();
  const folder = await temporaryFolder();
  const disk = { folder: folder.path, name: 'contract', capacityBytes: 4 * 1024 * 1024 };
  const cache = new PieceCache({ pieceBytes: 16_384, memoryBytesMax: 100_000, disk });
  return {
    store: cachedStore(far.store, () => ({ cache, by })),
    dispose: async () => {
      await cache.close();
      await far.dispose();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const makers: Record<string, () => Promise<StoreUnderTest>> = {
  fileStore: files,
  scratchStore: scratchFiles,
  memoryStore: memory,
  'subStore of a fileStore': () => below(files),
  'subStore of a memoryStore': () => below(memory),
  'portStore of a memoryStore in another thread': async () => ({ store: storeOfThread(), dispose: async () => {} }),
  'portStore of a fileStore in another thread': async () => {
    const folder = await temporaryFolder();
    return { store: storeOfThread(folder.path), dispose: () => folder[Symbol.asyncDispose]() };
  },
  'httpStore of a folder': () => served(),
  'httpStore of a server with weak ETags and without ranges': () => served({ etags: 'weak', ranges: false }),
  'gsStore of a server that speaks the JSON API': google,
  'faultStore without faults': async () => {
    const { store, dispose } = await files();
    return { store: faultStore(store), dispose };
  },
};

makers['limitedStore and hedgedStore of a fileStore'] = async () => {
  const { store, dispose } = await files();
  const limited = limitedStore(store, { concurrency: 3, pace: new Pace(2 ** 40), meter: new StoreMeter() });
  return { store: hedgedStore(limited, { quantile: 0.5 }), dispose };
};

for (const by of ['name', 'list', 'head'] as const) {
  makers[`cachedStore by ${by} of a fileStore`] = () => cached(by, files);
  makers[`cachedStore by ${by} of a memoryStore`] = () => cached(by, memory);
}

/** A folder of a bucket, as a URI opens it. */
async function bucket(): Promise<StoreUnderTest> {
  return { store: openStore(await s3Folder()), dispose: async () => {} };
}

function lawsOf(make: () => Promise<StoreUnderTest>): StoreLaw[] {
  return [...storeLaws(make), ...lawsOn(make, pipeLaws)];
}

// Laws wait for a server most of the time, and each has a folder of its own.
const sideBySide = { concurrent: true };

describe.skipIf(s3Endpoint === undefined)(`s3Store ${onS3}`, sideBySide, () => {
  for (const law of lawsOf(bucket)) it(law.name, law.run);
});

describe.skipIf(azuriteFolder === undefined)(`azStore ${onAzurite}`, sideBySide, () => {
  let server: Azurite;
  beforeAll(async () => {
    server = await azurite();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const container = async (): Promise<StoreUnderTest> => ({
    store: openStore(await server.folder()),
    dispose: async () => {},
  });
  for (const law of lawsOf(container)) it(law.name, law.run);
});

describe.skipIf(s3Endpoint === undefined)(`cachedStore by head of an s3Store ${onS3}`, sideBySide, () => {
  for (const law of lawsOf(() => cached('head', bucket))) it(law.name, law.run);
});

/** What is cached by name is never replaced, so that its versions could be mixed. */
const unlessReplaced = (name: string, law: StoreLaw): boolean =>
  !name.startsWith('cachedStore by name') || !/while one replaces the other/.test(law.name);

for (const [name, make] of Object.entries(makers)) {
  describe(name, () => {
    for (const law of lawsOf(make).filter((one) => unlessReplaced(name, one))) it(law.name, law.run);
  });
}
