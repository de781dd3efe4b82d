import { isSpiralError } from '../core/errors.js';
import { fetchBytesMax, fetchTimeoutMs } from '../core/limits.js';
import { type BucketPlace, bucketPlace } from '../storage/bucket-place.js';
import { readWhole } from '../storage/http-answer.js';
import { s3Error, statusOf } from '../storage/s3-errors.js';
import { type S3Answer, s3Service } from '../storage/s3-sdk.js';
import { type FetchTry, fetchTries, statusMayPass, withinTime } from './fetch-tries.js';
import { type Fetched, failedFetch } from './fetched.js';

/** What holds for all fetches from S3. */
export interface S3Settings {
  /** The places below which may be read, as URIs; `s3://` is all that the credentials reach. */
  readonly folders: readonly string[];
  /** Bytes of an object. Default 64 MiB. */
  readonly bytesMax?: number;
  /** Milliseconds of one try. Default a minute. */
  readonly timeoutMs?: number;
}

/** One object. */
interface S3Object {
  readonly bucket: string;
  readonly key: string;
  /** Percent-encoded. */
  readonly uri: string;
}

/** Bytes of a key, in UTF-8, that S3 takes. */
const keyBytesMax = 1024;

/** What fetches objects of S3, with the credentials and the endpoint that stores at `s3://` have. */
export class S3Get {
  readonly #folders: readonly Pick<BucketPlace, 'bucket' | 'prefix'>[];
  readonly #bytesMax: number;
  readonly #timeoutMs: number;

  /** @throws SpiralError `invalid_argument` for a folder that is no such URI. */
  constructor({ folders, bytesMax = fetchBytesMax, timeoutMs = fetchTimeoutMs }: S3Settings) {
    this.#folders = folders.map((uri) => (uri === 's3://' ? { bucket: '', prefix: '' } : bucketPlace(uri, 's3')));
    this.#bytesMax = bytesMax;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The object at `uri`, `s3://bucket/key` with the key percent-encoded, tried again where a failure may pass. Never fails
   * but by `signal`, with its reason, and for want of a client: a failure is a status. Without an answer: 400 for no such
   * URI, 403 for what lies below none of the folders, or without credentials, 413 for too many bytes, 502 where no
   * connection comes about or one breaks off, 504 where it takes too long.
   *
   * @throws SpiralError `missing_peer`.
   */
  async get(uri: string, signal: AbortSignal): Promise<Fetched> {
    const object = objectOf(uri);
    if (object === undefined) return failedFetch(uri, 400);
    if (!this.#folders.some((folder) => isBelow(object, folder))) return failedFetch(object.uri, 403);
    return fetchTries(uri, signal, () => this.#once(object, signal));
  }

  #once(object: S3Object, signal: AbortSignal): Promise<FetchTry> {
    const { bucket: Bucket, key: Key, uri } = object;
    const ask = async (own: AbortSignal): Promise<FetchTry> => {
      const service = await s3Service();
      const request = { operation: 'GetObject', input: { Bucket, Key }, signal: own, what: `fetch of ${uri}` } as const;
      const fetched = await service.send(request, (answer) => this.#read(uri, answer));
      return { fetched, mayPass: statusMayPass(fetched.status), waitMs: 0 };
    };
    return withinTime(this.#timeoutMs, signal, ask, (error, isLate) => failure(object, error, isLate));
  }

  async #read(uri: string, answer: S3Answer): Promise<Fetched> {
    const { Body, ContentLength: size, LastModified, ETag, VersionId } = answer;
    if (size !== undefined && size > this.#bytesMax) return failedFetch(uri, 413);
    const bytes = await readWhole(Body!, size, this.#bytesMax);
    if (bytes === undefined) return failedFetch(uri, 413);
    if (size !== undefined && bytes.length !== size) return failedFetch(uri, 502);
    return {
      bytes,
      location: uri,
      lastModified: LastModified?.getTime() ?? null,
      eTag: ETag ?? null,
      version: VersionId ?? null,
      status: 200,
    };
  }
}

/** The object that `text` names; undefined where it names none. */
function objectOf(text: string): S3Object | undefined {
  const [, bucket, encoded] = /^s3:\/\/([a-z0-9][a-z0-9._-]{1,254})\/(.+)$/is.exec(text) ?? [];
  if (bucket === undefined || encoded === undefined) return undefined;
  try {
    const key = decodeURIComponent(encoded);
    const segments = key.split('/');
    // To S3 these are names like any others; servers that keep objects as files may take them for the way out of a folder.
    if (segments.some((segment) => segment === '.' || segment === '..')) return undefined;
    if (key.includes('\0') || Buffer.byteLength(key) > keyBytesMax) return undefined;
    return { bucket, key, uri: `s3://${bucket}/${segments.map(encodeURIComponent).join('/')}` };
  } catch {
    return undefined;
  }
}

/** Whether an object lies below a folder; below one without a bucket all do. */
function isBelow({ bucket, key }: S3Object, folder: Pick<BucketPlace, 'bucket' | 'prefix'>): boolean {
  return folder.bucket === '' || (bucket === folder.bucket && key.startsWith(folder.prefix));
}

/** What a request that failed with `error` comes to. @throws SpiralError `missing_peer`. */
function failure({ uri, bucket, key }: S3Object, error: unknown, isLate: boolean): FetchTry {
  if (isLate) return { fetched: failedFetch(uri, 504), mayPass: true, waitMs: 0 };
  if (isSpiralError(error, 'missing_peer')) throw error;
  const known = s3Error(error, { uri: `s3://${bucket}`, path: key, doing: 'read' });
  const status = statusOf(error) ?? (isSpiralError(known, 'permission_denied') ? 403 : 502);
  const waitMs = isSpiralError(known) ? Number(known.details['retryAfterMs'] ?? 0) : 0;
  return { fetched: failedFetch(uri, status), mayPass: isSpiralError(known, 'unavailable'), waitMs };
}
