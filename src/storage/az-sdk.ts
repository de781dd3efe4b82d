import type { Readable } from 'node:stream';
import { SpiralError } from '../core/errors.js';
import { importPeer, isNotFound, resolvePeer } from '../core/peer.js';

/** What is used of `@azure/storage-blob`. */
interface Sdk {
  readonly BlobServiceClient: {
    new (url: string, credential: unknown, options: object): AzService;
    fromConnectionString(text: string, options: object): AzService;
  };
  readonly StorageSharedKeyCredential: new (account: string, key: string) => unknown;
}
interface Identity {
  readonly DefaultAzureCredential: new () => unknown;
}

/** An account. */
export interface AzService {
  getContainerClient(name: string): AzContainer;
}

/** A container. */
export interface AzContainer {
  getBlockBlobClient(name: string): AzBlob;
  listBlobsFlat(options: object): { byPage(settings: object): AsyncIterator<AzPage, AzPage> };
}

/** An object. */
export interface AzBlob {
  download(offset: number, count: number | undefined, options: object): Promise<AzDownload>;
  getProperties(options: object): Promise<AzProperties>;
  upload(body: Uint8Array, length: number, options: object): Promise<unknown>;
  stageBlock(id: string, body: Uint8Array, length: number, options: object): Promise<unknown>;
  commitBlockList(ids: readonly string[], options: object): Promise<unknown>;
  deleteIfExists(options: object): Promise<unknown>;
}

/** What is told of an object. */
export interface AzProperties {
  readonly contentLength?: number;
  readonly etag?: string;
  readonly lastModified?: Date;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An object, or a part of it. */
export interface AzDownload extends AzProperties {
  readonly contentRange?: string;
  readonly readableStreamBody?: Readable;
}

/** A page of a list. */
export interface AzPage {
  readonly continuationToken?: string;
  readonly segment: {
    readonly blobItems: readonly {
      readonly name: string;
      readonly properties: AzProperties;
      readonly metadata?: Readonly<Record<string, string>>;
    }[];
  };
}

const sdkPackage = '@azure/storage-blob';
const identityPackage = '@azure/identity';
/** The settings that tell one account from another; a thread has a client for each. */
const variables = [
  'AZURE_STORAGE_CONNECTION_STRING',
  'AZURE_STORAGE_ACCOUNT',
  'AZURE_STORAGE_KEY',
  'AZURE_STORAGE_SAS_TOKEN',
] as const;
/** The retries are this package's, which look after a write before they repeat it. */
const options = { retryOptions: { maxTries: 1 }, userAgentOptions: { userAgentPrefix: 'spiral-loader' } };
const services = new Map<string, Promise<AzService>>();

/**
 * The account that the environment names, made on first use.
 *
 * @throws SpiralError `missing_peer`; `permission_denied` where no account is named, `invalid_argument` for a connection
 * string that is none.
 */
export function azService(): Promise<AzService> {
  const key = JSON.stringify(variables.map((name) => process.env[name]));
  let service = services.get(key);
  if (service === undefined) {
    service = makeService();
    services.set(key, service);
    service.catch(() => services.delete(key));
  }
  return service;
}

async function makeService(): Promise<AzService> {
  const { BlobServiceClient, StorageSharedKeyCredential } = await peer<Sdk>(sdkPackage, 'az:// URIs');
  const [connection, account, key, sas] = variables.map((name) => process.env[name] || undefined);
  if (connection !== undefined) {
    try {
      return BlobServiceClient.fromConnectionString(connection, options);
    } catch {
      // No cause: its message may quote what it is of.
      throw unset('invalid_argument', 'Expected AZURE_STORAGE_CONNECTION_STRING to be one, as the portal shows it.');
    }
  }
  if (account === undefined || !/^[a-z0-9-]{1,63}$/i.test(account)) {
    throw unset(
      'permission_denied',
      'Expected the name of an account of Azure in AZURE_STORAGE_ACCOUNT, or AZURE_STORAGE_CONNECTION_STRING, found neither.',
    );
  }
  const url = `https://${account}.blob.core.windows.net`;
  if (key !== undefined) return new BlobServiceClient(url, new StorageSharedKeyCredential(account, key), options);
  if (sas !== undefined) return new BlobServiceClient(`${url}?${sas.replace(/^\?/, '')}`, undefined, options);
  const { DefaultAzureCredential } = await peer<Identity>(
    identityPackage,
    'az:// URIs without AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN and AZURE_STORAGE_CONNECTION_STRING',
  );
  return new BlobServiceClient(url, new DefaultAzureCredential(), options);
}

async function peer<T>(name: string, use: string): Promise<T> {
  try {
    return await importPeer<T>(name);
  } catch (cause) {
    if (!isNotFound(cause) || resolvePeer(name) !== undefined) throw cause;
    throw new SpiralError(
      'missing_peer',
      `Expected the package ${name} for ${use}, found none. Run \`npm install ${name}\`.`,
      { details: { package: name }, cause },
    );
  }
}

function unset(code: 'permission_denied' | 'invalid_argument', message: string): SpiralError {
  return new SpiralError(code, message, { details: { variables: [...variables] } });
}
