import { constants } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { checkSignal } from '../core/abort.js';
import { SpiralError, shown } from '../core/errors.js';
import { storeIdleMs, wholeAnswerBytesMax } from '../core/limits.js';
import { uninitializedBytes } from './byte-buffer.js';
import {
  contentLength,
  contentRange,
  type ObjectVersion,
  readInto,
  readWhole,
  sizeOfUnsatisfied,
  versionOf,
} from './http-answer.js';
import { exchangeError, type HttpWork, statusError, wrongAnswer } from './http-errors.js';
import { httpPlace } from './http-place.js';
import { exchange, FolderRedirect, type HttpAsk } from './http-wire.js';
import { KnownVersions } from './known-versions.js';
import { checkPath, checkPrefix } from './object-path.js';
import { markReopenable } from './reopenable.js';
import type { ObjectInfo, ObjectStore, RangeOptions, StoreOptions } from './store.js';
import { checkRange, checkTail, checkWhole, notFound, storeClosed, truncated, versionChanged } from './store-errors.js';

/** How a web server is read. */
export interface HttpStoreOptions {
  /** Milliseconds without a byte after which a request is given up. Default 30,000. */
  readonly idleMs?: number;
}

/**
 * The files below a folder of a web server, to be read: `uri` is `http://host/folder` or `https://…`, percent-encoded;
 * `user:password@` before the host is sent as basic authentication to that host alone, and stands in no message and no
 * state. Touches nothing before its first read.
 *
 * Ranges are one answer each, and of the version that `get`, `getTail` or `head` saw last: one of another version (ETag,
 * else time and size) rejects with `file_changed`. Of a server that sends whole files only, files and beginnings of files
 * up to 64 MiB are read so. It cannot list or write, which rejects with `unsupported`.
 *
 * @throws SpiralError `invalid_argument` for a malformed URI.
 */
export function httpStore(uri: string, options: HttpStoreOptions = {}): ObjectStore {
  const place = httpPlace(uri);
  return markReopenable(new HttpStore(place.uri, place.authorization, options), place.secretUri);
}

class HttpStore implements ObjectStore {
  readonly uri: string;
  readonly #authorization: string | undefined;
  readonly #idleMs: number;
  readonly #versions: KnownVersions = new KnownVersions();
  #closed = false;

  constructor(uri: string, authorization: string | undefined, { idleMs = storeIdleMs }: HttpStoreOptions) {
    this.uri = uri;
    this.#authorization = authorization;
    this.#idleMs = idleMs;
  }

  async get(path: string, options?: StoreOptions): Promise<Uint8Array> {
    const work = this.#start(path, options);
    return this.#ask(work, { method: 'GET' }, options, async (response) => {
      if (response.statusCode !== 200) throw statusError(response, work);
      const size = bodySize(response, work);
      this.#versions.look(work, versionOf(response, size));
      checkWhole(this.uri, path, size ?? 0);
      const bytes = await readWhole(response, size, constants.MAX_LENGTH);
      if (bytes === undefined) checkWhole(this.uri, path, Number.POSITIVE_INFINITY);
      return bytes!;
    });
  }

  async getRange(path: string, offset: number, length: number, options?: RangeOptions): Promise<Uint8Array> {
    checkRange(offset, length, options?.into);
    const work = this.#start(path, options);
    const bytes = options?.into?.subarray(0, length) ?? uninitializedBytes(length);
    // A server may send less than was asked for.
    for (let done = 0; done < length; ) done += await this.#fill(work, bytes, done, offset, options);
    return bytes;
  }

  async getTail(path: string, length: number, options?: StoreOptions): Promise<{ bytes: Uint8Array; size: number }> {
    checkTail(length);
    const work = this.#start(path, options);
    const tail = await this.#ask(work, { method: 'GET', range: `-${length}` }, options, (response) =>
      this.#tailOf(work, response, length),
    );
    if (tail !== undefined) return tail;
    // A server without ranges from the end: by the size, and as of the version that had it.
    const info = await this.head(path, options);
    if (info === undefined) throw notFound(this.uri, path);
    const wanted = Math.min(length, info.size);
    return { bytes: await this.getRange(path, info.size - wanted, wanted, options), size: info.size };
  }

  async head(path: string, options?: StoreOptions): Promise<ObjectInfo | undefined> {
    const work = this.#start(path, options);
    try {
      const told = await this.#ask(work, { method: 'HEAD' }, options, (response) => {
        const size = contentLength(response);
        return response.statusCode === 200 && size !== undefined
          ? this.#infoOf(work, response, size)
          : headUnknown(response, work);
      });
      if (told !== undefined) return told;
      return await this.#ask(work, { method: 'GET', range: '0-0' }, options, (response) => {
        const { statusCode } = response;
        const size =
          statusCode === 206
            ? contentRange(response.headers['content-range'])?.size
            : statusCode === 416
              ? sizeOfUnsatisfied(response)
              : bodySize(response, work);
        if (statusCode !== 200 && size === undefined) throw statusError(response, work);
        if (size === undefined) throw wrongAnswer(work, 'the server does not tell its size');
        return this.#infoOf(work, response, size);
      });
    } catch (error) {
      if (error instanceof SpiralError && error.code === 'not_found') return undefined;
      throw error;
    }
  }

  async put(path: string): Promise<void> {
    throw this.#readOnly('put', path);
  }

  async putIfAbsent(path: string): Promise<boolean> {
    throw this.#readOnly('putIfAbsent', path);
  }

  list(prefix: string): AsyncIterable<ObjectInfo> {
    const next = async (): Promise<never> => {
      checkPrefix(prefix);
      this.#checkOpen();
      throw new SpiralError(
        'unsupported',
        `Expected to list ${shown(prefix)} in ${this.uri}, which no web server can. Name each file by its URI.`,
        { details: { uri: this.uri, prefix } },
      );
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }

  async delete(path: string): Promise<void> {
    throw this.#readOnly('delete', path);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  /** Fills `bytes` from `done` on with what comes from there, and gives how many bytes that were. */
  async #fill(
    work: HttpWork,
    bytes: Uint8Array,
    done: number,
    offset: number,
    options: RangeOptions | undefined,
  ): Promise<number> {
    const [from, to] = [offset + done, offset + bytes.length];
    return this.#ask(work, { method: 'GET', range: `${from}-${to - 1}` }, options, async (response) => {
      const status = response.statusCode;
      if (status === 416) {
        const size = sizeOfUnsatisfied(response);
        if (size === undefined || size > from) throw wrongAnswer(work, 'the server refuses a range of it');
        this.#versions.check(work, versionOf(response, size));
        throw truncated(this.uri, work.path, offset, bytes.length, Math.max(0, size - offset));
      }
      if (status === 200) return this.#cut(work, response, bytes.subarray(done), from, options);
      if (status !== 206) throw statusError(response, work);
      refuseEncoded(response, work);
      const found = contentRange(response.headers['content-range']);
      if (found === undefined || found.from !== from || found.to > to) {
        throw wrongAnswer(work, `the server sent another range (${shown(response.headers['content-range'])})`);
      }
      this.#check(work, versionOf(response, found.size), options);
      const wanted = found.to - from;
      const count = await readInto(response, bytes.subarray(done, done + wanted));
      if (count < wanted) throw wrongAnswer(work, `the answer ended after ${count} of ${wanted} bytes`);
      if (found.size !== undefined && found.size < to) {
        throw truncated(this.uri, work.path, offset, bytes.length, found.size - offset);
      }
      return count;
    });
  }

  /** Fills `into` from byte `from` on of the whole object, which is what the server sends. */
  async #cut(
    work: HttpWork,
    response: IncomingMessage,
    into: Uint8Array,
    from: number,
    options: RangeOptions | undefined,
  ): Promise<number> {
    const size = bodySize(response, work);
    this.#check(work, versionOf(response, size), options);
    const to = from + into.length;
    if (size !== undefined && size < to) {
      throw truncated(this.uri, work.path, from, into.length, Math.max(0, size - from));
    }
    if (to > wholeAnswerBytesMax) throw noRanges(work);
    const count = await readInto(response, into, from);
    if (count < into.length) throw truncated(this.uri, work.path, from, into.length, count);
    return count;
  }

  /** @throws SpiralError `file_changed` unless a range may be of `version`. */
  #check(work: HttpWork, version: ObjectVersion, options: RangeOptions | undefined): void {
    this.#versions.check(work, version);
    if (options?.etag !== undefined && options.etag !== etagOf(version)) throw versionChanged(this.uri, work.path);
  }

  /** The tail that `response` holds; undefined where it must be found in another way. */
  async #tailOf(
    work: HttpWork,
    response: IncomingMessage,
    length: number,
  ): Promise<{ bytes: Uint8Array; size: number } | undefined> {
    const status = response.statusCode;
    if (status === 416 && sizeOfUnsatisfied(response) === 0) {
      this.#versions.look(work, versionOf(response, 0));
      return { bytes: new Uint8Array(0), size: 0 };
    }
    if (status === 416) return undefined;
    if (status === 200) {
      const size = bodySize(response, work);
      this.#versions.look(work, versionOf(response, size));
      if (size !== undefined && size > wholeAnswerBytesMax) throw noRanges(work);
      const bytes = await readWhole(response, size, wholeAnswerBytesMax);
      if (bytes === undefined) throw noRanges(work);
      return { bytes: bytes.slice(Math.max(0, bytes.length - length)), size: bytes.length };
    }
    if (status !== 206) throw statusError(response, work);
    refuseEncoded(response, work);
    const found = contentRange(response.headers['content-range']);
    if (found?.size === undefined || found.to !== found.size || found.from !== Math.max(0, found.size - length)) {
      return undefined;
    }
    this.#versions.look(work, versionOf(response, found.size));
    const bytes = uninitializedBytes(found.to - found.from);
    const count = await readInto(response, bytes);
    if (count < bytes.length) throw wrongAnswer(work, `the answer ended after ${count} of ${bytes.length} bytes`);
    return { bytes, size: found.size };
  }

  #infoOf(work: HttpWork, response: IncomingMessage, size: number): ObjectInfo {
    refuseEncoded(response, work);
    const version = versionOf(response, size);
    this.#versions.look(work, version);
    return { path: work.path, size, modifiedMs: Date.parse(version.modified ?? '') || 0, etag: etagOf(version) };
  }

  async #ask<T>(
    work: HttpWork,
    { method, range }: { method: HttpAsk['method']; range?: string },
    options: StoreOptions | undefined,
    read: (response: IncomingMessage) => Promise<T> | T,
  ): Promise<T> {
    const ask: HttpAsk = {
      method,
      url: `${this.uri}/${work.path.split('/').map(encodeURIComponent).join('/')}`,
      headers: range === undefined ? {} : { range: `bytes=${range}` },
      authorization: this.#authorization,
      idleMs: this.#idleMs,
      signal: options?.signal,
      what: `read of ${work.path}`,
    };
    try {
      return await exchange(ask, read);
    } catch (error) {
      if (error instanceof FolderRedirect) throw notFound(this.uri, work.path);
      throw exchangeError(error, work);
    }
  }

  #start(path: string, options: StoreOptions | undefined): HttpWork {
    checkPath(path);
    this.#checkOpen();
    checkSignal(options?.signal, `read of ${path}`);
    return { uri: this.uri, path };
  }

  #readOnly(operation: string, path: string): SpiralError {
    checkPath(path);
    this.#checkOpen();
    return new SpiralError(
      'unsupported',
      `Expected a store that can be written to for ${operation} of ${shown(path)}, got ${this.uri}: a web server is read only. Use a folder or an s3:// bucket.`,
      { details: { uri: this.uri, path, operation } },
    );
  }

  #checkOpen(): void {
    if (this.#closed) throw storeClosed(this.uri);
  }
}

/** What stands for the version: where a server has no ETags, time and size do. */
function etagOf({ etag, modified, size }: ObjectVersion): string {
  return etag ?? `${modified ?? ''} ${size ?? ''}`;
}

/** Undefined where HEAD is refused or tells no size, which says nothing of the object. @throws SpiralError else. */
function headUnknown(response: IncomingMessage, work: HttpWork): undefined {
  const status = response.statusCode!;
  // Signed addresses are for one method; some servers know GET alone.
  if (status === 200 || [400, 403, 405, 501].includes(status)) return undefined;
  throw statusError(response, work);
}

/** The size that a whole answer tells; undefined where it is told by the end of the answer. */
function bodySize(response: IncomingMessage, work: HttpWork): number | undefined {
  refuseEncoded(response, work);
  const size = contentLength(response);
  if (size !== undefined || response.headers['transfer-encoding'] !== undefined) return size;
  throw new SpiralError(
    'unsupported',
    `Expected the server of ${work.uri} to tell the length of its answers, found one of ${shown(work.path)} that just ends, and may have been cut short. Use a server that speaks HTTP/1.1.`,
    { details: { ...work } },
  );
}

function refuseEncoded({ headers }: IncomingMessage, work: HttpWork): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return;
  throw new SpiralError(
    'unsupported',
    `Expected the bytes of ${shown(work.path)} in ${work.uri} as they are, found them encoded as ${shown(encoding)}. Have the server send such files without Content-Encoding.`,
    { details: { ...work, encoding } },
  );
}

function noRanges(work: HttpWork): SpiralError {
  return new SpiralError(
    'unsupported',
    `Expected a part of ${shown(work.path)} from ${work.uri}, which sends whole files only, and this one is too large for that (over ${wholeAnswerBytesMax} bytes). Use a server that knows range requests, or copy the file to a disk.`,
    { details: { ...work, max: wholeAnswerBytesMax } },
  );
}
