import type { IncomingMessage } from 'node:http';
import { abortable, cancelled, checkSignal } from '../core/abort.js';
import { AbortWatch } from '../core/abort-watch.js';
import { SpiralError } from '../core/errors.js';
import { connectMsMax, httpConnectionsMax, storeIdleMs } from '../core/limits.js';
import { importPeer, isNotFound, resolvePeer } from '../core/peer.js';
import { Semaphore } from '../core/semaphore.js';

/** What is asked of S3, by the names of its API. */
export type S3Operation =
  | 'GetObject'
  | 'HeadObject'
  | 'PutObject'
  | 'DeleteObject'
  | 'ListObjectsV2'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload';

/** What it answers, as far as it is used here. */
export interface S3Answer {
  readonly Body?: IncomingMessage;
  readonly ContentLength?: number;
  readonly ContentRange?: string;
  readonly ETag?: string;
  readonly LastModified?: Date;
  readonly Metadata?: Readonly<Record<string, string>>;
  readonly VersionId?: string;
  readonly UploadId?: string;
  readonly Contents?: readonly {
    readonly Key?: string;
    readonly Size?: number;
    readonly ETag?: string;
    readonly LastModified?: Date;
  }[];
  /** Of the bucket, in lists. */
  readonly Name?: string;
  readonly EncodingType?: string;
  readonly IsTruncated?: boolean;
  readonly NextContinuationToken?: string;
}

/** One request. */
export interface S3Request {
  readonly operation: S3Operation;
  readonly input: Readonly<Record<string, unknown>>;
  /** Ends it, and the reading of its answer. Not for what writes: it would not be known whether it did. */
  readonly signal?: AbortSignal | undefined;
  /** Names the work, where it is cancelled. */
  readonly what: string;
}

/** The service, to which requests go signed: what fails does so as the SDK has it. */
export interface S3Service {
  /** What `read` makes of the answer, whose body it has to read or leave. */
  send<T>(request: S3Request, read: (answer: S3Answer) => Promise<T> | T): Promise<T>;
}

/** What is used of the SDK: its commands have the names of the operations. */
interface Sdk {
  readonly S3Client: new (settings: object) => SdkClient;
  readonly [command: `${string}Command`]: new (input: object) => unknown;
}
interface SdkClient {
  readonly config: { region(): Promise<string> };
  send(command: unknown, options: { abortSignal: AbortSignal }): Promise<unknown>;
}

const sdkPackage = '@aws-sdk/client-s3';
/** The settings that tell one client from another; a thread has one for each. */
const variables = [
  'AWS_ENDPOINT_URL_S3',
  'AWS_ENDPOINT_URL',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_PROFILE',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_VIRTUAL_HOSTED_STYLE_REQUEST',
];
const services = new Map<string, Promise<S3Service>>();
const aborts = new AbortWatch();

/** The service that the environment names, made on first use. @throws SpiralError `missing_peer`. */
export function s3Service(): Promise<S3Service> {
  const key = JSON.stringify(variables.map((name) => process.env[name]));
  let service = services.get(key);
  if (service === undefined) {
    service = makeService();
    services.set(key, service);
    service.catch(() => services.delete(key));
  }
  return service;
}

async function makeService(): Promise<S3Service> {
  const sdk = await loadSdk();
  const { AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_REGION, AWS_DEFAULT_REGION, AWS_VIRTUAL_HOSTED_STYLE_REQUEST } =
    process.env;
  const endpoint = AWS_ENDPOINT_URL_S3 || AWS_ENDPOINT_URL;
  const region = AWS_REGION || AWS_DEFAULT_REGION;
  const settings = {
    ...(endpoint ? { endpoint } : {}),
    // Servers of one's own seldom have a name for each bucket.
    forcePathStyle: Boolean(endpoint) && !/^(1|true)$/i.test(AWS_VIRTUAL_HOSTED_STYLE_REQUEST ?? ''),
    followRegionRedirects: !endpoint,
    // Newer checksums are refused by servers that do not know them; requests are signed with the hash of their body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // The retries are this package's, which look after a write before they repeat it.
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: connectMsMax,
      socketTimeout: storeIdleMs,
      httpAgent: { keepAlive: true, maxSockets: httpConnectionsMax },
      httpsAgent: { keepAlive: true, maxSockets: httpConnectionsMax },
    },
  };
  const client = new sdk.S3Client(region ? { ...settings, region } : settings);
  if (region || (await hasRegion(client))) return new Service(sdk, client);
  return new Service(sdk, new sdk.S3Client({ ...settings, region: 'us-east-1' }));
}

/** Whether a profile names a region. */
async function hasRegion(client: SdkClient): Promise<boolean> {
  return client.config.region().then(
    () => true,
    () => false,
  );
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await importPeer<Sdk>(sdkPackage);
  } catch (cause) {
    if (!isNotFound(cause) || resolvePeer(sdkPackage) !== undefined) throw cause;
    throw new SpiralError(
      'missing_peer',
      `Expected the package ${sdkPackage} for s3:// URIs, found none. Run \`npm install ${sdkPackage}\`.`,
      { details: { package: sdkPackage }, cause },
    );
  }
}

class Service implements S3Service {
  readonly #sdk: Sdk;
  readonly #client: SdkClient;
  readonly #room: Semaphore = new Semaphore(httpConnectionsMax);

  constructor(sdk: Sdk, client: SdkClient) {
    this.#sdk = sdk;
    this.#client = client;
  }

  send<T>(request: S3Request, read: (answer: S3Answer) => Promise<T> | T): Promise<T> {
    return abortable(
      this.#room.run(() => this.#send(request, read)),
      request.signal,
      request.what,
    );
  }

  async #send<T>(
    { operation, input, signal, what }: S3Request,
    read: (answer: S3Answer) => Promise<T> | T,
  ): Promise<T> {
    checkSignal(signal, what);
    const abort = new AbortController();
    let body: IncomingMessage | undefined;
    const unwatch =
      signal === undefined
        ? undefined
        : aborts.watch(signal, () => {
            abort.abort();
            body?.destroy(cancelled(signal, what));
          });
    try {
      const command = new this.#sdk[`${operation}Command`]!(input);
      const answer = (await this.#client.send(command, { abortSignal: abort.signal })) as S3Answer;
      body = answer.Body;
      // Without a listener, a connection that breaks while nobody reads would end the process.
      body?.on('error', () => {});
      checkSignal(signal, what);
      return await read(answer);
    } finally {
      unwatch?.();
      if (body?.readableEnded === false) body.destroy();
    }
  }
}
