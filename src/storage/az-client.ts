import { abortable } from '../core/abort.js';
import { httpConnectionsMax, storeIdleMs } from '../core/limits.js';
import { Semaphore } from '../core/semaphore.js';
import { azCode, azError, Resized } from './az-errors.js';
import { type AzBlob, type AzContainer, type AzProperties, azService } from './az-sdk.js';
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
import { NoAnswer } from './http-wire.js';
import type { UploadTarget } from './upload.js';
import { type WatchedCall, watchedCall } from './watched-call.js';

/** The word beside an object; names of words are identifiers here. */
const markName = 'spiralput';
const contentType = { blobContentType: 'application/octet-stream' };
/** Objects that are replaced while their last bytes are asked for, one after the other. */
const tailTriesMax = 4;
/** One for all containers of the thread. */
const room = new Semaphore(httpConnectionsMax);

/** The container `name` of the account that the environment names. @throws SpiralError as {@link azService}. */
export async function azClient(name: string): Promise<CloudClient> {
  return new AzClient((await azService()).getContainerClient(name));
}

class AzClient implements CloudClient {
  /** Of signs beyond U+FFFF it is not told, and accounts with a hierarchy list by folders. */
  readonly isOrdered = false;
  readonly #container: AzContainer;

  constructor(container: AzContainer) {
    this.#container = container;
  }

  async open<T>(
    key: string,
    range: CloudRange | undefined,
    call: CloudCall,
    read: (answer: CloudAnswer) => Promise<T>,
  ): Promise<T | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.#run(call, (watched) => this.#open(key, range, watched, read));
      } catch (error) {
        const code = azCode(error);
        if (code === 'InvalidRange') return undefined;
        if (!(error instanceof Resized) || tries === tailTriesMax) throw error;
      }
    }
  }

  async #open<T>(
    key: string,
    range: CloudRange | undefined,
    { signal, beat }: WatchedCall,
    read: (answer: CloudAnswer) => Promise<T>,
  ): Promise<T | undefined> {
    const blob = this.#blob(key);
    let [from, to]: [number, number | undefined] = [0, undefined];
    if (range !== undefined && 'last' in range) {
      // There are no ranges from the end.
      const { contentLength: size = 0 } = await blob.getProperties({ abortSignal: signal });
      if (size === 0) return undefined;
      [from, to] = [Math.max(0, size - range.last), size];
    } else if (range !== undefined) [from, to] = [range.from, range.to];
    const count = to === undefined ? undefined : to - from;
    const answer = await blob.download(from, count, { abortSignal: signal });
    const body = answer.readableStreamBody!;
    // Without a listener, a connection that breaks while nobody reads would end the process.
    let broken: Error | undefined;
    body.on('error', (error: Error) => {
      broken ??= error;
    });
    const end = (): void => void body.destroy(signal.reason as Error);
    signal.addEventListener('abort', end, { once: true });
    try {
      const found = contentRange(answer.contentRange);
      // Azurite's answer to a range from the very end on.
      if (range !== undefined && found === undefined && answer.contentLength === 0) return undefined;
      if (range !== undefined && 'last' in range && found?.size !== to) throw new Resized();
      const facts =
        found ?? (range === undefined ? { from: 0, to: answer.contentLength, size: answer.contentLength } : undefined);
      const told = { from: facts?.from ?? Number.NaN, to: facts?.to, size: facts?.size };
      const reading = read({ ...told, etag: plainTag(answer.etag), body });
      body.on('data', beat);
      return await reading;
    } catch (error) {
      if (broken !== undefined && error === broken) throw new NoAnswer(broken.message, { cause: broken });
      throw error;
    } finally {
      signal.removeEventListener('abort', end);
      if (!body.readableEnded) body.destroy();
    }
  }

  async head(key: string, call: CloudCall): Promise<CloudFacts | undefined> {
    try {
      const told = await this.#run(call, ({ signal }) => this.#blob(key).getProperties({ abortSignal: signal }));
      return isFolder(told.metadata) ? undefined : factsOf(told, told.metadata);
    } catch (error) {
      const code = azCode(error);
      if (code === 'BlobNotFound' || (code === '' && (error as { statusCode?: number }).statusCode === 404))
        return undefined;
      throw error;
    }
  }

  async put(key: string, bytes: Uint8Array, call: CloudCall): Promise<void> {
    await this.#upload(key, bytes, {}, call);
  }

  async claim(key: string, bytes: Uint8Array, mark: string, call: CloudCall): Promise<boolean> {
    try {
      const conditions = { ifNoneMatch: '*' };
      await this.#upload(key, bytes, { conditions, metadata: { [markName]: mark } }, call);
      return true;
    } catch (error) {
      // Other conflicts say nothing of whether it is there.
      const code = azCode(error);
      if (code === 'BlobAlreadyExists' || code === 'ConditionNotMet') return false;
      throw error;
    }
  }

  async list(prefix: string, page: string | undefined, call: CloudCall): Promise<CloudPage> {
    const { value } = await this.#run(call, ({ signal }) => {
      const settings = page === undefined ? {} : { continuationToken: page };
      const options = { ...(prefix === '' ? {} : { prefix }), includeMetadata: true, abortSignal: signal };
      return this.#container
        .listBlobsFlat(options)
        .byPage({ maxPageSize: 1000, ...settings })
        .next();
    });
    const objects = value.segment.blobItems.map(({ name, properties, metadata }) => ({
      key: name,
      isFolder: isFolder(metadata),
      ...factsOf(properties, metadata),
    }));
    return { objects, next: value.continuationToken || undefined };
  }

  async delete(key: string, call: CloudCall): Promise<void> {
    await this.#run(call, ({ signal }) =>
      this.#blob(key).deleteIfExists({ abortSignal: signal, deleteSnapshots: 'include' }),
    );
  }

  uploadTo(key: string, mark: string, retry: CloudRetry): Omit<UploadTarget, 'uri' | 'path'> {
    const idOf = (number: number): string =>
      Buffer.from(`${mark}-${String(number).padStart(5, '0')}`).toString('base64');
    return {
      put: (bytes) => retry((call) => this.put(key, bytes, call), 'whole'),
      // Blocks that are never named go by themselves after a week.
      begin: async () => mark,
      abort: async () => {},
      part: async (_, number, bytes) => {
        const id = idOf(number);
        await retry((call) =>
          this.#run(call, ({ signal, beat }) =>
            this.#blob(key).stageBlock(id, bytes, bytes.length, { abortSignal: signal, onProgress: beat }),
          ),
        );
        return id;
      },
      complete: async (_, parts) => {
        const ids = parts.map(({ tag }) => tag);
        const commit = (call: CloudCall): Promise<unknown> =>
          this.#run(call, ({ signal }) =>
            this.#blob(key).commitBlockList(ids, {
              abortSignal: signal,
              metadata: { [markName]: mark },
              blobHTTPHeaders: contentType,
            }),
          );
        await retry(async (call, failed) => {
          try {
            await commit(call);
          } catch (error) {
            // Where an answer was lost, it may have been done.
            if (failed === 0 || azCode(error) !== 'InvalidBlockList') throw error;
            if ((await this.head(key, call))?.mark !== mark) throw error;
          }
        }, 'whole');
      },
    };
  }

  errorOf(error: unknown, work: CloudWork): unknown {
    return azError(error, work);
  }

  async #upload(key: string, bytes: Uint8Array, options: object, call: CloudCall): Promise<void> {
    await this.#run(call, ({ signal, beat }) =>
      this.#blob(key).upload(bytes, bytes.length, {
        ...options,
        abortSignal: signal,
        onProgress: beat,
        blobHTTPHeaders: contentType,
      }),
    );
  }

  #blob(key: string): AzBlob {
    return this.#container.getBlockBlobClient(key);
  }

  #run<T>(call: CloudCall, work: (watched: WatchedCall) => Promise<T>): Promise<T> {
    return abortable(
      room.run(() => watchedCall(call, storeIdleMs, work)),
      call.signal,
      call.what,
    );
  }
}

/** Accounts with a hierarchy list their folders as objects without bytes. */
function isFolder(metadata: Readonly<Record<string, string>> | undefined): boolean {
  return metadata?.['hdi_isfolder'] === 'true';
}

function factsOf(
  { contentLength, etag, lastModified }: AzProperties,
  metadata: Readonly<Record<string, string>> | undefined,
): CloudFacts {
  return {
    size: contentLength ?? 0,
    modifiedMs: 1000 * Math.floor((lastModified?.getTime() ?? 0) / 1000),
    etag: plainTag(etag) ?? '',
    mark: metadata?.[markName] ?? null,
  };
}

/** Lists give them without their quotes. */
function plainTag(etag: string | undefined): string | undefined {
  return etag?.replaceAll('"', '');
}
