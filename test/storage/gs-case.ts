import { uniqueId } from '../../src/core/random.js';
import { gsStore } from '../../src/storage/gs-store.js';
import type { CloudCase } from './cloud-case.js';
import { gcsServer, useGcs } from './gcs-server.js';

/** What Google says of a bucket that is none: its reason is that of an object. */
const noBucket = 'The specified bucket does not exist.';

/** Cloud Storage, against a server of this process: it has no credentials, as tokens go to Google alone. */
export const gsCase: CloudCase = {
  scheme: 'gs',
  store: gsStore,
  bucketWord: 'bucket',
  install: 'npm install @google-cloud/storage',
  refusals: [
    [404, 'notFound', 'not_found'],
    [404, noBucket, 'not_found'],
    [401, 'authError', 'permission_denied'],
    [403, 'forbidden', 'permission_denied'],
    [403, 'retentionPolicyNotMet', 'permission_denied'],
    [403, 'quotaExceeded', 'storage_full'],
    [403, 'userRateLimitExceeded', 'unavailable'],
    [409, 'conflict', 'unavailable'],
    [429, 'rateLimitExceeded', 'unavailable'],
    [500, 'backendError', 'unavailable'],
    [503, 'backendError', 'unavailable'],
    [501, 'notImplemented', 'unsupported'],
    [400, 'badRequest', 'invalid_argument'],
    [418, '', 'invalid_argument'],
  ],
  refusing: (status, name, headers) => (to) => {
    const [reason, message] = name === noBucket ? ['notFound', noBucket] : [name, 'No.'];
    const text = JSON.stringify({ error: { code: status, message, errors: [{ reason, message }] } }, null, 1);
    to.writeHead(status, { 'content-length': Buffer.byteLength(text), ...headers }).end(text);
  },
  headNames: true,
  accepting: (to) => void to.writeHead(200, { 'content-length': 2 }).end('{}'),
  missing: [404, 'notFound'],
  busy: [409, 'conflict'],
  there: [412, 'conditionNotMet'],
  use: useGcs,
  credentials: [],
  secret: /upload_id/,
  names: ['nl\nx', '😀', '\uffee'],
  skipped: undefined,
  place: async () => {
    const server = await gcsServer({ pageSize: 3 });
    useGcs(server.url);
    return {
      url: server.url,
      folder: async () => `gs://bucket/${uniqueId('')}`,
      leave: async (key, folder) => {
        const path = `${folder.slice('gs://bucket/'.length)}/${key}`;
        const none = { bytes: Buffer.alloc(0), generation: 1, metadata: undefined };
        server.objects.set(path, { ...none, timeCreated: '2024-01-01T00:00:00Z' });
      },
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  },
};
