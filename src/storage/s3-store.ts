import { constants } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { checkSignal } from '../core/abort.js';
import { SpiralError, shown } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import { bucketPlace } from './bucket-place.js';
import { uninitializedBytes } from './byte-buffer.js';
import { contentRange, type ObjectVersion, readInto, readWhole } from './http-answer.js';
import { wrongAnswer } from './http-errors.js';
import { KnownVersions } from './known-versions.js';
import { checkPath, checkPrefix, isPath } from './object-path.js';
import { checkBytes } from './put-body.js';
import { markReopenable } from './reopenable.js';
import { Retrier } from './retrier.js';
import type { ClaimingStore, PutClaim } from './retry-store.js';
import { type S3Answer, type S3Client, type S3Operation, s3Client } from './s3-client.js';
import { type S3Work, s3Error, statusOf } from './s3-errors.js';
import type { ObjectInfo, ObjectStore, PutBody, RangeOptions, StoreOptions } from './store.js';
import { checkRange, checkTail, checkWhole, notFound, storeClosed, truncated, versionChanged } from './store-errors.js';
import { type UploadTarget, upload } from './upload.js';

/** The name of the word that is kept beside an object, to tell who put it. */
const markName = 'spiral-put';

/**
 * The objects below `s3://bucket/folder`, percent-encoded, of AWS or whatever speaks S3: endpoint, region and credentials
 * come from where AWS's own tools have them (`AWS_ENDPOINT_URL_S3`, `AWS_REGION`, `AWS_PROFILE`, roles …). Touches nothing
 * before its first use, which needs the package `@aws-sdk/client-s3`.
 *
 * Large bodies are uploaded in parts, which `retrier` repeats, as it does the pages of lists; wrap the store with it for the
 * rest. Ranges are of the version that `get`, `getTail` or `head` saw last, else `file_changed`. The first put if absent
 * checks that the server knows conditions: one that ignores them is refused with `unsupported`. A put is not ended by its
 * signal once its last request is sent, as nobody could tell whether it took place.
 *
 * @throws SpiralError `invalid_argument` for a malformed URI.
 */
export function s3Store(uri: string, retrier: Retrier = new Retrier()): ObjectStore {
  const { uri: plain, bucket, prefix } = bucketPlace(uri, 's3');
  return markReopenable(new S3Store(plain, bucket, prefix, retrier));
}

class S3Store implements ClaimingStore {
  readonly uri: string;
  readonly #bucket: string;
  readonly #prefix: string;
  readonly #retrier: Retrier;
  readonly #versions: KnownVersions = new KnownVersions();
  #conditions: Promise<void> | undefined;
  #closed = false;

  constructor(uri: string, bucket: string, prefix: string, retrier: Retrier) {
    this.uri = uri;
    this.#bucket = bucket;
    this.#prefix = prefix;
    this.#retrier = retrier;
  }

  async get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    const work = this.#start('read', path, options);
    return this.#send(work, 'GetObject', {}, options, async (answer) => {
      const size = answer.ContentLength;
      this.#versions.look(work, versionOf(answer, size));
      checkWhole(this.uri, path, size ?? 0);
      const bytes = await readWhole(bodyOf(answer), size, constants.MAX_LENGTH);
      if (bytes?.length === size) return bytes!;
      throw wrongAnswer(work, `${bytes?.length ?? 'too many'} bytes of ${size}`);
    });
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    checkRange(offset, length, options?.into);
    const work = this.#start('read', path, options);
    const bytes = options?.into?.subarray(0, length) ?? uninitializedBytes(length);
    if (length === 0) return bytes;
    const Range = `bytes=${offset}-${offset + length - 1}`;
    try {
      return await this.#send(work, 'GetObject', { Range }, options, async (answer) => {
        const found = rangeOf(answer, work);
        this.#versions.check(work, versionOf(answer, found.size));
        if (options?.etag !== undefined && options.etag !== etagOf(answer)) throw versionChanged(this.uri, path);
        if (found.from !== offset || found.to > offset + length)
          throw wrongAnswer(work, 'the store sent another range');
        if (found.to < offset + length) throw truncated(this.uri, path, offset, length, found.to - offset);
        const count = await readInto(bodyOf(answer), bytes);
        if (count === length) return bytes;
        throw wrongAnswer(work, `the answer ended after ${count} of ${length} bytes`);
      });
    } catch (error) {
      if (statusOf((error as Error).cause) !== 416) throw error;
      const info = await this.head(path, options);
      if (info === undefined) throw notFound(this.uri, path);
      throw truncated(this.uri, path, offset, length, Math.max(0, info.size - offset));
    }
  }

  async getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    checkTail(length);
    const work = this.#start('read', path, options);
    try {
      return await this.#send(work, 'GetObject', { Range: `bytes=-${length}` }, options, async (answer) => {
        const { from, to, size = Number.NaN } = rangeOf(answer, work);
        this.#versions.look(work, versionOf(answer, size));
        if (to !== size || from !== Math.max(0, size - length)) throw wrongAnswer(work, 'the store sent another range');
        const bytes = uninitializedBytes(to - from);
        if ((await readInto(bodyOf(answer), bytes)) === bytes.length) return { bytes, size };
        throw wrongAnswer(work, 'the answer ended too soon');
      });
    } catch (error) {
      // An object without bytes has no range.
      if (statusOf((error as Error).cause) !== 416 || (await this.head(path, options))?.size !== 0) throw error;
      return { bytes: new Uint8Array(0), size: 0 };
    }
  }

  async head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    const work = this.#start('read', path, options);
    const answer = await this.#headOf(work, options);
    if (answer === undefined) return undefined;
    this.#versions.look(work, versionOf(answer, answer.ContentLength));
    return infoOf(path, answer.ContentLength, answer);
  }

  async tokenOf(path: string, options?: StoreOptions): Promise<string | null | undefined> {
    const answer = await this.#headOf(this.#start('read', path, options), options);
    return answer === undefined ? undefined : (answer.Metadata?.[markName] ?? null);
  }

  async put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    const work = this.#start('write', path, options);
    const target = this.#uploadTarget(work, options?.signal);
    try {
      await upload(target, body, options?.signal);
    } finally {
      this.#versions.forget(path);
    }
  }

  async putIfAbsent(path: string, body: Uint8Array, options?: StoreOptions & Partial<PutClaim>): Promise<boolean> {
    const work = this.#start('write', path, options);
    checkBytes(body);
    const token = options?.token ?? uniqueId('');
    try {
      if (!(await this.#claim(work, body, token))) return false;
      this.#conditions ??= this.#checkConditions(work, body, token);
      await this.#conditions;
      return true;
    } finally {
      this.#versions.forget(path);
    }
  }

  async *list(prefix: string, options?: StoreOptions): AsyncGenerator<ObjectInfo> {
    checkPrefix(prefix);
    this.#checkOpen();
    const what = `list of ${prefix}`;
    const work: S3Work = { uri: this.uri, path: prefix, doing: 'list' };
    const signal = options?.signal;
    const input = { Prefix: this.#prefix + prefix, EncodingType: 'url' };
    for (let more: S3Answer | undefined; more === undefined || more.IsTruncated === true; ) {
      const ContinuationToken: string | undefined = more?.NextContinuationToken;
      const page = { ...input, ...(ContinuationToken === undefined ? {} : { ContinuationToken }) };
      more = await this.#retrier.run({ what, signal }, () =>
        this.#send(work, 'ListObjectsV2', page, options, (answer) => answer),
      );
      for (const found of more.Contents ?? []) {
        checkSignal(signal, what);
        const key = more.EncodingType === 'url' ? decodeURIComponent(found.Key!.replaceAll('+', ' ')) : found.Key!;
        const path = key.slice(this.#prefix.length);
        if (isPath(path)) yield infoOf(path, found.Size, found);
      }
    }
  }

  async delete(path: string, options?: StoreOptions): Promise<void> {
    const work = this.#start('delete', path, options);
    try {
      await this.#send(work, 'DeleteObject', {}, undefined, () => {});
    } finally {
      this.#versions.forget(path);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #uploadTarget(work: S3Work, signal: AbortSignal | undefined): UploadTarget {
    const { path } = work;
    const mark = uniqueId('');
    const send = (
      operation: S3Operation,
      input: Readonly<Record<string, unknown>>,
      writes = false,
    ): Promise<S3Answer> =>
      this.#retrier.run({ what: `write of ${path}`, signal, writes }, () =>
        this.#send(work, operation, input, undefined, (answer) => answer),
      );
    return {
      uri: this.uri,
      path,
      put: async (Body) => void (await send('PutObject', { Body }, true)),
      begin: async () => (await send('CreateMultipartUpload', { Metadata: { [markName]: mark } })).UploadId!,
      part: async (UploadId, PartNumber, Body) => (await send('UploadPart', { UploadId, PartNumber, Body })).ETag ?? '',
      complete: async (UploadId, parts) => {
        const Parts = parts.map(({ number, tag }) => ({ PartNumber: number, ETag: tag }));
        try {
          await send('CompleteMultipartUpload', { UploadId, MultipartUpload: { Parts } }, true);
        } catch (error) {
          // Where an answer was lost, the upload may have been completed.
          if (statusOf((error as Error).cause) !== 404 || (await this.tokenOf(path)) !== mark) throw error;
        }
      },
      abort: async (UploadId) =>
        void (await this.#retrier.run({ what: `write of ${path}`, signal: undefined }, () =>
          this.#send(work, 'AbortMultipartUpload', { UploadId }, undefined, () => {}),
        )),
    };
  }

  /** Puts the object if there is none, with `token` beside it. */
  async #claim(work: S3Work, body: Uint8Array, token: string): Promise<boolean> {
    const input = { Body: body, IfNoneMatch: '*', Metadata: { [markName]: token } };
    try {
      await this.#send(work, 'PutObject', input, undefined, () => {});
      return true;
    } catch (error) {
      if (statusOf((error as Error).cause) === 412) return false;
      throw error;
    }
  }

  /** @throws SpiralError `unsupported` where an object that was just made can be made again. */
  async #checkConditions(work: S3Work, body: Uint8Array, token: string): Promise<void> {
    const again = await this.#claim(work, body, token).catch((error: unknown) => {
      this.#conditions = undefined;
      throw error;
    });
    if (!again) return;
    throw new SpiralError(
      'unsupported',
      `Expected ${this.uri} to refuse to make ${shown(work.path)} twice, found that its server ignores If-None-Match: writers would overwrite each other's commits. Use a server with conditional writes.`,
      { details: { uri: this.uri } },
    );
  }

  async #headOf(work: S3Work, options: StoreOptions | undefined): Promise<S3Answer | undefined> {
    try {
      return await this.#send(work, 'HeadObject', {}, options, (answer) => answer);
    } catch (error) {
      if (statusOf((error as Error).cause) === 404) return undefined;
      throw error;
    }
  }

  async #send<T>(
    work: S3Work,
    operation: S3Operation,
    input: Readonly<Record<string, unknown>>,
    options: StoreOptions | undefined,
    read: (answer: S3Answer) => Promise<T> | T,
  ): Promise<T> {
    const client: S3Client = await s3Client();
    const what = `${work.doing} of ${work.path}`;
    const key = operation === 'ListObjectsV2' ? {} : { Key: this.#prefix + work.path };
    const request = { operation, input: { Bucket: this.#bucket, ...key, ...input }, signal: options?.signal, what };
    try {
      return await client.send(request, read);
    } catch (error) {
      checkSignal(options?.signal, what);
      throw s3Error(error, work);
    }
  }

  #start(doing: S3Work['doing'], path: string, options: StoreOptions | undefined): S3Work {
    checkPath(path);
    this.#checkOpen();
    checkSignal(options?.signal, `${doing} of ${path}`);
    return { uri: this.uri, path, doing };
  }

  #checkOpen(): void {
    if (this.#closed) throw storeClosed(this.uri);
  }
}

function bodyOf({ Body }: S3Answer): IncomingMessage {
  return Body!;
}

function versionOf({ ETag, LastModified }: S3Answer, size: number | undefined): ObjectVersion {
  return { etag: ETag, modified: LastModified?.toUTCString(), size };
}

function etagOf({ ETag }: Pick<S3Answer, 'ETag'>): string {
  return (ETag ?? '').replaceAll('"', '');
}

function rangeOf(answer: S3Answer, work: S3Work): { from: number; to: number; size: number | undefined } {
  const found = contentRange(answer.ContentRange);
  if (found !== undefined) return found;
  throw wrongAnswer(work, `the store sent no range (${shown(answer.ContentRange)})`);
}

function infoOf(path: string, size: number | undefined, told: Pick<S3Answer, 'ETag' | 'LastModified'>): ObjectInfo {
  return {
    path,
    size: size ?? 0,
    // Lists tell milliseconds, objects seconds.
    modifiedMs: 1000 * Math.floor((told.LastModified?.getTime() ?? 0) / 1000),
    etag: etagOf(told),
  };
}
