import { BlobServiceClient } from '@azure/storage-blob';
import { azStore } from '../../src/storage/az-store.js';
import { azurite, azuriteFolder, useAzure } from './azurite.js';
import type { CloudCase } from './cloud-case.js';

/** The account of the place that is open, which others than it do not have. */
let account: { readonly account: string; readonly key: string } | undefined;

/** Azure, against its emulator. */
export const azCase: CloudCase = {
  scheme: 'az',
  store: azStore,
  bucketWord: 'container',
  install: 'npm install @azure/storage-blob',
  refusals: [
    [404, 'BlobNotFound', 'not_found'],
    [404, 'ContainerNotFound', 'not_found'],
    [403, 'AuthenticationFailed', 'permission_denied'],
    [403, 'AuthorizationPermissionMismatch', 'permission_denied'],
    [401, 'NoAuthenticationInformation', 'permission_denied'],
    [412, 'LeaseIdMissing', 'permission_denied'],
    [409, 'BlobImmutableDueToPolicy', 'permission_denied'],
    [409, 'BlobArchived', 'unsupported'],
    [409, 'ContainerBeingDeleted', 'unavailable'],
    [500, 'OperationTimedOut', 'unavailable'],
    [503, 'ServerBusy', 'unavailable'],
    [507, 'Full', 'storage_full'],
    [501, 'NotImplemented', 'unsupported'],
    [400, 'InvalidUri', 'invalid_argument'],
    [418, 'Teapot', 'invalid_argument'],
  ],
  refusing: (status, name, headers) => (to, method) => {
    const text = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${name}</Code><Message>No.</Message></Error>`;
    const body = method === 'HEAD' ? '' : text;
    const facts = { 'content-type': 'application/xml', 'x-ms-error-code': name, 'content-length': body.length };
    to.writeHead(status, { ...facts, ...headers }).end(body);
  },
  headNames: true,
  accepting: (to) => void to.writeHead(201, { etag: '"e"', 'content-length': 0 }).end(),
  missing: [404, 'BlobNotFound'],
  busy: [409, 'ContainerBeingDeleted'],
  there: [409, 'BlobAlreadyExists'],
  use: (url, wrong) => {
    const key = wrong === undefined ? account?.key : Buffer.from(wrong).toString('base64');
    useAzure(Number(new URL(url).port), account?.account, key);
  },
  credentials: [
    (url) =>
      connect(
        url,
        `DefaultEndpointsProtocol=http;AccountName=testaccount;AccountKey=${Buffer.from('SECRETKEY').toString('base64')};`,
      ),
    (url) => connect(url, 'SharedAccessSignature=sv=2024-01-01&sig=SIGNATURE;'),
  ],
  secret: /SIGNATURE|SharedKey|SECRETKEY|U0VDUkVUS0VZ/,
  names: [],
  skipped: azuriteFolder === undefined ? 'SPIRAL_TEST_AZURITE names no folder' : undefined,
  place: async () => {
    const server = await azurite();
    account = server;
    return {
      url: `http://127.0.0.1:${server.port}`,
      folder: () => server.folder(),
      leave: (key, folder) => leave(key, folder, {}),
      [Symbol.asyncDispose]: async () => {
        account = undefined;
        await server[Symbol.asyncDispose]();
      },
    };
  },
};

/** Makes the empty blob `key` of `folder`, which has `metadata`. */
export async function leave(key: string, folder: string, metadata: Readonly<Record<string, string>>): Promise<void> {
  const [, container, prefix] = /^az:\/\/([^/]+)\/(.*)$/.exec(folder)!;
  const service = BlobServiceClient.fromConnectionString(process.env['AZURE_STORAGE_CONNECTION_STRING']!);
  await service.getContainerClient(container!).getBlockBlobClient(`${prefix}/${key}`).upload('', 0, { metadata });
}

function connect(url: string, credentials: string): void {
  process.env['AZURE_STORAGE_CONNECTION_STRING'] = `${credentials}BlobEndpoint=${url}/testaccount;`;
}
