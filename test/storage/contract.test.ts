import { afterAll, beforeAll, describe, it } from 'vitest';
import { fileStore } from '../../src/storage/file-store.js';
import { httpStore } from '../../src/storage/http-store.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import { openStore } from '../../src/storage/open-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { subStore } from '../../src/storage/sub-store.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { type StoreUnderTest, storeLaws } from '../../src/testing/store-laws.js';
import { type Azurite, azurite, azuriteFolder, onAzurite } from './azurite.js';
import { type FileServerOptions, fileServer } from './file-server.js';
import { gcsServer, useGcs } from './gcs-server.js';
import { onS3, s3Endpoint, s3Folder } from './s3-gateway.js';
import { storeOfThread } from './serving-thread.js';
import { temporaryFolder } from './temporary-folder.js';

async function files(): Promise<StoreUnderTest> {
  const folder = await temporaryFolder();
  return { store: fileStore(folder.path), dispose: () => folder[Symbol.asyncDispose]() };
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

const makers: Record<string, () => Promise<StoreUnderTest>> = {
  fileStore: files,
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

/** A folder of a bucket, as a URI opens it. */
async function bucket(): Promise<StoreUnderTest> {
  return { store: openStore(await s3Folder()), dispose: async () => {} };
}

describe.skipIf(s3Endpoint === undefined)(`s3Store ${onS3}`, () => {
  for (const law of storeLaws(bucket)) it(law.name, law.run);
});

describe.skipIf(azuriteFolder === undefined)(`azStore ${onAzurite}`, () => {
  let server: Azurite;
  beforeAll(async () => {
    server = await azurite();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  const container = async (): Promise<StoreUnderTest> => ({
    store: openStore(await server.folder()),
    dispose: async () => {},
  });
  for (const law of storeLaws(container)) it(law.name, law.run);
});

for (const [name, make] of Object.entries(makers)) {
  describe(name, () => {
    for (const law of storeLaws(make)) it(law.name, law.run);
  });
}
