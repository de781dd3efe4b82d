import { constants } from 'node:buffer';
import { checkSignal } from '../core/abort.js';
import { SpiralError, shown } from '../core/errors.js';
import { uniqueId } from '../core/random.js';
import type { BucketPlace } from './bucket-place.js';
import { uninitializedBytes } from './byte-buffer.js';
import { inByteOrder } from './byte-order.js';
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
import { type ObjectVersion, readInto, readWhole } from './http-answer.js';
import { wrongAnswer } from './http-errors.js';
import { KnownVersions } from './known-versions.js';
import { checkPath, checkPrefix, isPath } from './object-path.js';
import { checkBytes } from './put-body.js';
import type { Retrier } from './retrier.js';
import type { ClaimingStore, PutClaim } from './retry-store.js';
import type { ObjectInfo, PutBody, RangeOptions, StoreOptions } from './store.js';
import { checkRange, checkTail, checkWhole, notFound, storeClosed, truncated, versionChanged } from './store-errors.js';
import { upload } from './upload.js';

/**
 * The objects below a folder of a bucket that `client` speaks to. Large bodies go in parts, which `retrier` repeats, as it
 * does the pages of lists; wrap the store with it for the rest. Ranges are of the version that `get`, `getTail` or `head` saw
 * last, else `file_changed`. The first put if absent checks that the server knows conditions. A put is not ended by its
 * signal once its last request is sent, as nobody could tell whether it took place.
 */
export class CloudStore implements ClaimingStore {
  readonly uri: string;
  readonly #prefix: string;
  readonly #client: () => Promise<CloudClient>;
  readonly #retrier: Retrier;
  readonly #versions: KnownVersions = new KnownVersions();
  #conditions: Promise<void> | undefined;
  #closed = false;

  constructor({ uri, prefix }: BucketPlace, client: () => Promise<CloudClient>, retrier: Retrier) {
    this.uri = uri;
    this.#prefix = prefix;
    this.#client = client;
    this.#retrier = retrier;
  }

  async get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    const work = this.#start('read', path, options);
    const bytes = await this.#open(work, undefined, options, async (answer) => {
      const { size } = answer;
      this.#versions.look(work, versionOf(answer));
      checkWhole(this.uri, path, size ?? 0);
      const whole = await readWhole(answer.body, size, constants.MAX_LENGTH);
      if (whole?.length === size) return whole!;
      throw wrongAnswer(work, `${whole?.length ?? 'too many'} bytes of ${size}`);
    });
    return bytes ?? new Uint8Array(0);
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    checkRange(offset, length, options?.into);
    const work = this.#start('read', path, options);
    const memory = (): Uint8Array => options?.into?.subarray(0, length) ?? uninitializedBytes(length);
    if (length === 0) return memory();
    const to = offset + length;
    const found = await this.#open(work, { from: offset, to }, options, async (answer) => {
      this.#versions.check(work, versionOf(answer));
      if (options?.etag !== undefined && options.etag !== answer.etag) throw versionChanged(this.uri, path);
      if (answer.from !== offset || answer.to === undefined || answer.to > to) {
        throw wrongAnswer(work, 'the store sent another range');
      }
      if (answer.to < to) throw truncated(this.uri, path, offset, length, answer.to - offset);
      // Not before: what waits for its turn, or for an answer, holds none.
      const bytes = memory();
      const count = await readInto(answer.body, bytes);
      if (count === length) return bytes;
      throw wrongAnswer(work, `the answer ended after ${count} of ${length} bytes`);
    });
    if (found !== undefined) return found;
    const info = await this.head(path, options);
    if (info === undefined) throw notFound(this.uri, path);
    throw truncated(this.uri, path, offset, length, Math.max(0, info.size - offset));
  }

  async getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    checkTail(length);
    const work = this.#start('read', path, options);
    const tail = await this.#open(work, { last: length }, options, async (answer) => {
      const { size = Number.NaN, from, to } = answer;
      this.#versions.look(work, versionOf(answer));
      if (to !== size || from !== Math.max(0, size - length)) throw wrongAnswer(work, 'the store sent another range');
      const bytes = uninitializedBytes(size - from);
      if ((await readInto(answer.body, bytes)) === bytes.length) return { bytes, size };
      throw wrongAnswer(work, 'the answer ended too soon');
    });
    if (tail !== undefined) return tail;
    // An object without bytes has no range.
    const info = await this.head(path, options);
    if (info === undefined) throw notFound(this.uri, path);
    if (info.size === 0) return { bytes: new Uint8Array(0), size: 0 };
    throw wrongAnswer(work, 'the store refuses its last bytes');
  }

  async head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    const work = this.#start('read', path, options);
    const facts = await this.#headOf(work, options);
    if (facts === undefined) return undefined;
    this.#versions.look(work, versionOf(facts));
    return infoOf(path, facts);
  }

  async tokenOf(path: string, options?: StoreOptions): Promise<string | null | undefined> {
    return (await this.#headOf(this.#start('read', path, options), options))?.mark;
  }

  async put(path: string, body: PutBody, options?: StoreOptions): Promise<void> {
    const work = this.#start('write', path, options);
    const signal = options?.signal;
    const what = `write of ${path}`;
    const client = await this.#client();
    const retry: CloudRetry = (request, step = 'part') => {
      const retried = { what, signal: step === 'end' ? undefined : signal, writes: step === 'whole' };
      return this.#retrier.run(retried, (failed) => this.#mapped(work, request({ what }, failed)));
    };
    const target = client.uploadTo(this.#prefix + path, uniqueId(''), retry);
    try {
      await upload({ uri: this.uri, path, ...target }, body, signal);
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
    const { isOrdered } = await this.#client();
    const listed = this.#listed(prefix, options);
    for await (const { path, facts } of isOrdered ? listed : inByteOrder(listed, this.uri)) {
      checkSignal(options?.signal, `list of ${prefix}`);
      if (isPath(path)) yield infoOf(path, facts);
    }
  }

  async *#listed(prefix: string, options: StoreOptions | undefined): AsyncGenerator<Listed> {
    const work: CloudWork = { uri: this.uri, path: prefix, doing: 'list' };
    const what = `list of ${prefix}`;
    for (let page: CloudPage | undefined; page === undefined || page.next !== undefined; ) {
      const next: string | undefined = page?.next;
      page = await this.#retrier.run({ what, signal: options?.signal }, () =>
        this.#send(work, options, (client, call) => client.list(this.#prefix + prefix, next, call)),
      );
      // It would be asked for ever.
      if (page.next !== undefined && page.next === next) throw wrongAnswer(work, 'a page of the list is its own next');
      for (const { key, isFolder = false, ...facts } of page.objects) {
        yield { path: key.slice(this.#prefix.length), isFolder, facts };
      }
    }
  }

  async delete(path: string, options?: StoreOptions): Promise<void> {
    const work = this.#start('delete', path, options);
    try {
      await this.#send(work, undefined, (client, call) => client.delete(this.#prefix + path, call));
    } finally {
      this.#versions.forget(path);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #claim(work: CloudWork, body: Uint8Array, token: string): Promise<boolean> {
    return this.#send(work, undefined, (client, call) => client.claim(this.#prefix + work.path, body, token, call));
  }

  /** @throws SpiralError `unsupported` where an object that was just made can be made again. */
  async #checkConditions(work: CloudWork, body: Uint8Array, token: string): Promise<void> {
    const again = await this.#claim(work, body, token).catch((error: unknown) => {
      this.#conditions = undefined;
      throw error;
    });
    if (!again) return;
    throw new SpiralError(
      'unsupported',
      `Expected ${this.uri} to refuse to make ${shown(work.path)} twice, found that its server ignores conditions: writers would overwrite each other's commits. Use a server with conditional writes.`,
      { details: { uri: this.uri } },
    );
  }

  #headOf(work: CloudWork, options: StoreOptions | undefined): Promise<CloudFacts | undefined> {
    return this.#send(work, options, (client, call) => client.head(this.#prefix + work.path, call));
  }

  #open<T>(
    work: CloudWork,
    range: CloudRange | undefined,
    options: StoreOptions | undefined,
    read: (answer: CloudAnswer) => Promise<T>,
  ): Promise<T | undefined> {
    return this.#send(work, options, (client, call) => client.open(this.#prefix + work.path, range, call, read));
  }

  async #send<T>(
    work: CloudWork,
    options: StoreOptions | undefined,
    request: (client: CloudClient, call: CloudCall) => Promise<T>,
  ): Promise<T> {
    const client = await this.#client();
    const what = `${work.doing} of ${work.path}`;
    try {
      return await this.#mapped(work, request(client, { signal: options?.signal, what }));
    } catch (error) {
      checkSignal(options?.signal, what);
      throw error;
    }
  }

  async #mapped<T>(work: CloudWork, request: Promise<T>): Promise<T> {
    try {
      return await request;
    } catch (error) {
      throw (await this.#client()).errorOf(error, work);
    }
  }

  #start(doing: CloudWork['doing'], path: string, options: StoreOptions | undefined): CloudWork {
    checkPath(path);
    this.#checkOpen();
    checkSignal(options?.signal, `${doing} of ${path}`);
    return { uri: this.uri, path, doing };
  }

  #checkOpen(): void {
    if (this.#closed) throw storeClosed(this.uri);
  }
}

/** An object of a list. */
interface Listed {
  readonly path: string;
  readonly isFolder: boolean;
  readonly facts: CloudFacts;
}

function versionOf({ etag, size }: Pick<CloudAnswer, 'etag' | 'size'>): ObjectVersion {
  return { etag, size, modified: undefined };
}

function infoOf(path: string, { size, modifiedMs, etag }: CloudFacts): ObjectInfo {
  return { path, size, modifiedMs, etag };
}
