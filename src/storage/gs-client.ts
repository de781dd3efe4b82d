import type { IncomingMessage } from 'node:http';
import { storeIdleMs } from '../core/limits.js';
import { uniqueId } from '../core/random.js';
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
import { GsRefusal, gsError, refusalOf } from './gs-errors.js';
import { type GsService, gsService } from './gs-sdk.js';
import { GsUpload } from './gs-upload.js';
import { contentLength, contentRange, readWhole } from './http-answer.js';
import { BadRedirect, exchange, type HttpAsk } from './http-wire.js';
import type { UploadTarget } from './upload.js';

/** The word beside an object. */
const markName = 'spiral-put';
/** Bytes of an answer in JSON: a page of a list has a thousand objects with names of a kilobyte. */
const jsonBytesMax = 16 * 1024 * 1024;
const factFields = 'name,size,generation,timeCreated,metadata';

/** One request to the service. */
export interface GsAsk {
  readonly method: HttpAsk['method'];
  /** From the endpoint on, or whole, as sessions of uploads are named. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: readonly Uint8Array[];
}

/** Sends one request; `read` gets the answer, whatever its status. */
export type GsSend = <T>(
  ask: GsAsk,
  call: CloudCall,
  read: (response: IncomingMessage) => Promise<T> | T,
) => Promise<T>;

/** What the service says of an object. */
interface GsObject {
  readonly name?: unknown;
  readonly size?: unknown;
  readonly generation?: unknown;
  readonly timeCreated?: unknown;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** The bucket `name` of the service that the environment names. @throws SpiralError as {@link gsService}. */
export async function gsClient(name: string): Promise<CloudClient> {
  return new GsClient(await gsService(), name);
}

/**
 * A bucket by Google's JSON API. Endpoint and tokens are the library's; requests are this package's own, as ranges that are
 * left, or aborted, would close the library's connections.
 */
class GsClient implements CloudClient {
  readonly isOrdered = true;
  readonly #service: GsService;
  readonly #objects: string;
  readonly #uploads: string;

  constructor(service: GsService, bucket: string) {
    this.#service = service;
    const path = `storage/v1/b/${encodeURIComponent(bucket)}/o`;
    this.#objects = `/${path}`;
    this.#uploads = `/upload/${path}`;
  }

  open<T>(
    key: string,
    range: CloudRange | undefined,
    call: CloudCall,
    read: (answer: CloudAnswer) => Promise<T>,
  ): Promise<T | undefined> {
    const bytes =
      range === undefined ? undefined : 'last' in range ? `-${range.last}` : `${range.from}-${range.to - 1}`;
    // What is stored compressed comes so, not unpacked on the way: ranges and sizes are of what is stored.
    const headers = { 'accept-encoding': 'gzip', ...(bytes === undefined ? {} : { range: `bytes=${bytes}` }) };
    const url = `${this.#objects}/${encodeURIComponent(key)}?alt=media`;
    return this.#send({ method: 'GET', url, headers }, call, async (response) => {
      const { statusCode: status, headers: told } = response;
      if (status === 416) return undefined;
      if (status !== 200 && status !== 206) throw await refusalOf(response);
      if (told['content-encoding'] === 'gzip' && told['x-goog-stored-content-encoding'] !== 'gzip') {
        throw new GsRefusal(502, 'encoded', false, undefined);
      }
      const size = contentLength(response);
      const whole = { from: 0, to: size, size };
      const found = status === 206 ? contentRange(told['content-range']) : whole;
      const facts = found ?? { from: Number.NaN, to: undefined, size: undefined };
      return read({ ...facts, etag: String(told['x-goog-generation'] ?? ''), body: response });
    });
  }

  async head(key: string, call: CloudCall): Promise<CloudFacts | undefined> {
    const url = `${this.#objects}/${encodeURIComponent(key)}?fields=${factFields}`;
    try {
      return factsOf((await this.#json({ method: 'GET', url }, call)) as GsObject);
    } catch (error) {
      if (error instanceof GsRefusal && error.status === 404 && !error.isBucket) return undefined;
      throw error;
    }
  }

  async put(key: string, bytes: Uint8Array, call: CloudCall): Promise<void> {
    await this.#put(key, bytes, undefined, call);
  }

  async claim(key: string, bytes: Uint8Array, mark: string, call: CloudCall): Promise<boolean> {
    try {
      await this.#put(key, bytes, mark, call);
      return true;
    } catch (error) {
      if (error instanceof GsRefusal && error.status === 412) return false;
      throw error;
    }
  }

  async list(prefix: string, page: string | undefined, call: CloudCall): Promise<CloudPage> {
    const query = new URLSearchParams({ prefix, fields: `items(${factFields}),nextPageToken` });
    if (page !== undefined) query.set('pageToken', page);
    const found = await this.#json({ method: 'GET', url: `${this.#objects}?${query}` }, call);
    const { items = [], nextPageToken } = found as { items?: readonly GsObject[]; nextPageToken?: string };
    const objects = items.map((item) => ({ key: String(item.name), ...factsOf(item) }));
    return { objects, next: nextPageToken || undefined };
  }

  async delete(key: string, call: CloudCall): Promise<void> {
    const url = `${this.#objects}/${encodeURIComponent(key)}`;
    await this.#send({ method: 'DELETE', url }, call, async (response) => {
      if (response.statusCode === 204 || response.statusCode === 200) return;
      const refusal = await refusalOf(response);
      if (refusal.status !== 404 || refusal.isBucket) throw refusal;
    });
  }

  uploadTo(key: string, mark: string, retry: CloudRetry): Omit<UploadTarget, 'uri' | 'path'> {
    const url = `${this.#uploads}?uploadType=resumable&fields=generation`;
    const resource = { name: key, metadata: { [markName]: mark } };
    const session = new GsUpload(url, JSON.stringify(resource), this.#send, retry);
    return {
      put: (bytes) => retry((call) => this.put(key, bytes, call), 'whole'),
      begin: () => session.begin(),
      part: (_, number, bytes) => session.part(number, bytes),
      complete: () => session.complete(),
      abort: () => session.abort(),
    };
  }

  errorOf(error: unknown, work: CloudWork): unknown {
    return gsError(error, work);
  }

  /** One request with what is known of the object and its bytes; with a `mark` only where there is none. */
  async #put(key: string, bytes: Uint8Array, mark: string | undefined, call: CloudCall): Promise<void> {
    const boundary = uniqueId('part-');
    const resource = { name: key, ...(mark === undefined ? {} : { metadata: { [markName]: mark } }) };
    const head =
      `--${boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n${JSON.stringify(resource)}\r\n` +
      `--${boundary}\r\nContent-Type: application/octet-stream\r\n\r\n`;
    const condition = mark === undefined ? '' : '&ifGenerationMatch=0';
    const url = `${this.#uploads}?uploadType=multipart&fields=generation${condition}`;
    const headers = { 'content-type': `multipart/related; boundary=${boundary}` };
    const body = [Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)];
    await this.#json({ method: 'POST', url, headers, body }, call);
  }

  #json(ask: GsAsk, call: CloudCall): Promise<unknown> {
    return this.#send(ask, call, async (response) => {
      if (response.statusCode !== 200) throw await refusalOf(response);
      const bytes = (await readWhole(response, contentLength(response), jsonBytesMax)) ?? new Uint8Array(0);
      try {
        return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
      } catch {
        throw new GsRefusal(502, 'noJson', false, undefined);
      }
    });
  }

  readonly #send: GsSend = async (ask, call, read) => {
    const { endpoint } = this.#service;
    const url = ask.url.startsWith('/') ? endpoint + ask.url : ask.url;
    // Sessions of uploads are named by the service.
    if (new URL(url).origin !== endpoint) throw new BadRedirect('an upload to another server');
    const { authorization, ...own } = await this.#service.headers();
    const { method, headers, body } = ask;
    const request: HttpAsk = {
      method,
      url,
      headers: { ...own, ...headers },
      body: body ?? (method === 'POST' || method === 'PUT' ? [] : undefined),
      authorization,
      idleMs: storeIdleMs,
      signal: call.signal,
      what: call.what,
    };
    return exchange(request, read);
  };
}

function factsOf({ size, generation, timeCreated, metadata }: GsObject): CloudFacts {
  const mark = metadata?.[markName];
  return {
    size: Number(size),
    modifiedMs: 1000 * Math.floor((Date.parse(String(timeCreated)) || 0) / 1000),
    etag: String(generation ?? ''),
    mark: typeof mark === 'string' ? mark : null,
  };
}
