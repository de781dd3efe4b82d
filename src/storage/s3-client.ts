import type {
  CloudAnswer,
  CloudCall,
  CloudClient,
  CloudFacts,
  CloudPage,
  CloudRange,
  CloudRetry,
  CloudWork,
} from './cloud-client.js';
import { contentRange } from './http-answer.js';
import { s3Error, statusOf, UnlikeS3 } from './s3-errors.js';
import { type S3Answer, type S3Operation, type S3Service, s3Service } from './s3-sdk.js';
import type { UploadTarget } from './upload.js';

/** The word beside an object. */
const markName = 'spiral-put';

/** The bucket `name` of the service that the environment names. @throws SpiralError as {@link s3Service}. */
export async function s3Client(name: string): Promise<CloudClient> {
  return new S3Client(await s3Service(), name);
}

class S3Client implements CloudClient {
  readonly isOrdered = true;
  readonly #service: S3Service;
  readonly #bucket: string;

  constructor(service: S3Service, bucket: string) {
    this.#service = service;
    this.#bucket = bucket;
  }

  async open<T>(
    Key: string,
    range: CloudRange | undefined,
    call: CloudCall,
    read: (answer: CloudAnswer) => Promise<T>,
  ): Promise<T | undefined> {
    const bytes =
      range === undefined ? undefined : 'last' in range ? `-${range.last}` : `${range.from}-${range.to - 1}`;
    const input = bytes === undefined ? { Key } : { Key, Range: `bytes=${bytes}` };
    try {
      return await this.#send('GetObject', input, call, (answer) => {
        const { ContentLength: size, ContentRange } = answer;
        const whole = { from: 0, to: size, size };
        const none = { from: Number.NaN, to: undefined, size: undefined };
        const facts = range === undefined ? whole : (contentRange(ContentRange) ?? none);
        return read({ ...facts, etag: tagOf(answer), body: answer.Body! });
      });
    } catch (error) {
      if (statusOf(error) === 416) return undefined;
      throw error;
    }
  }

  async head(Key: string, call: CloudCall): Promise<CloudFacts | undefined> {
    try {
      const answer = await this.#send('HeadObject', { Key }, call);
      return factsOf(answer, answer.ContentLength, answer.Metadata?.[markName]);
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async put(Key: string, Body: Uint8Array, call: CloudCall): Promise<void> {
    await this.#send('PutObject', { Key, Body }, call);
  }

  async claim(Key: string, Body: Uint8Array, mark: string, call: CloudCall): Promise<boolean> {
    try {
      await this.#send('PutObject', { Key, Body, IfNoneMatch: '*', Metadata: { [markName]: mark } }, call);
      return true;
    } catch (error) {
      // A conflict, 409, says nothing of whether it is there.
      if (statusOf(error) === 412) return false;
      throw error;
    }
  }

  async list(Prefix: string, page: string | undefined, call: CloudCall): Promise<CloudPage> {
    const token = page === undefined ? {} : { ContinuationToken: page };
    const answer = await this.#send('ListObjectsV2', { Prefix, EncodingType: 'url', ...token }, call);
    if (answer.Name === undefined && answer.IsTruncated === undefined) throw new UnlikeS3('the answer is no list');
    const objects = (answer.Contents ?? []).map((found) => ({
      key: keyOf(found.Key, answer.EncodingType),
      ...factsOf(found, found.Size, undefined),
    }));
    if (answer.IsTruncated !== true) return { objects, next: undefined };
    if (!answer.NextContinuationToken) throw new UnlikeS3('a page of a list that goes on does not say how');
    return { objects, next: answer.NextContinuationToken };
  }

  async delete(Key: string, call: CloudCall): Promise<void> {
    await this.#send('DeleteObject', { Key }, call);
  }

  uploadTo(Key: string, mark: string, retry: CloudRetry): Omit<UploadTarget, 'uri' | 'path'> {
    const Metadata = { [markName]: mark };
    return {
      put: (bytes) => retry((call) => this.put(Key, bytes, call), 'whole'),
      begin: async () => {
        const { UploadId } = await retry((call) => this.#send('CreateMultipartUpload', { Key, Metadata }, call));
        return UploadId!;
      },
      part: async (UploadId, PartNumber, Body) => {
        const input = { Key, UploadId, PartNumber, Body };
        return (await retry((call) => this.#send('UploadPart', input, call))).ETag ?? '';
      },
      complete: async (UploadId, parts) => {
        const Parts = parts.map(({ number, tag }) => ({ PartNumber: number, ETag: tag }));
        await retry(async (call) => {
          try {
            await this.#send('CompleteMultipartUpload', { Key, UploadId, MultipartUpload: { Parts } }, call);
          } catch (error) {
            // Where an answer was lost, it may have been done.
            if (statusOf(error) !== 404 || (await this.head(Key, call))?.mark !== mark) throw error;
          }
        }, 'whole');
      },
      abort: async (UploadId) => {
        await retry((call) => this.#send('AbortMultipartUpload', { Key, UploadId }, call), 'end');
      },
    };
  }

  errorOf(error: unknown, work: CloudWork): unknown {
    return s3Error(error, work);
  }

  #send(operation: S3Operation, input: object, call: CloudCall): Promise<S3Answer>;
  #send<T>(operation: S3Operation, input: object, call: CloudCall, read: (answer: S3Answer) => Promise<T>): Promise<T>;
  #send(
    operation: S3Operation,
    input: object,
    { signal, what }: CloudCall,
    read: (answer: S3Answer) => unknown = (answer) => answer,
  ): Promise<unknown> {
    return this.#service.send({ operation, input: { Bucket: this.#bucket, ...input }, signal, what }, read);
  }
}

/** A key as a list tells it. */
function keyOf(key: string | undefined, encoding: string | undefined): string {
  if (key === undefined) throw new UnlikeS3('an object of a list has no key');
  if (encoding !== 'url') return key;
  try {
    return decodeURIComponent(key.replaceAll('+', ' '));
  } catch {
    throw new UnlikeS3('a key of a list is not percent-encoded');
  }
}

type Told = Pick<S3Answer, 'ETag' | 'LastModified'>;

function factsOf(told: Told, size: number | undefined, mark: string | undefined): CloudFacts {
  return {
    size: size ?? 0,
    // Lists tell milliseconds, objects seconds.
    modifiedMs: 1000 * Math.floor((told.LastModified?.getTime() ?? 0) / 1000),
    etag: tagOf(told) ?? '',
    mark: mark ?? null,
  };
}

/** Servers that know no ETags have times, of seconds. */
function tagOf({ ETag, LastModified }: Told): string | undefined {
  return ETag?.replaceAll('"', '') ?? LastModified?.toUTCString();
}
