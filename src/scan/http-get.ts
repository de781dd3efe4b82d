import type { LookupAddress, lookup } from 'node:dns';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { isIP, type LookupFunction } from 'node:net';
import { fetchBytesMax, fetchConcurrency, fetchRedirectsMax, fetchTimeoutMs } from '../core/limits.js';
import { fetchTries, statusMayPass, withinTime } from './fetch-tries.js';
import { type Fetched, failedFetch } from './fetched.js';

/** What holds for all fetches over HTTP. */
export interface HttpSettings {
  /** Whether no connection may be made to an IP address. */
  readonly refuses: (address: string) => boolean;
  /** Bytes of an object. Default 64 MiB. */
  readonly bytesMax?: number;
  /** Milliseconds of one try. Default a minute. */
  readonly timeoutMs?: number;
}

/** An answer, or where to ask instead. */
type Answer = Fetched | { readonly redirect: string; readonly status: number };

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** What fetches over HTTP: connections are kept for the fetches after, and keep no process alive. */
export class HttpGet {
  readonly #refuses: (address: string) => boolean;
  readonly #bytesMax: number;
  readonly #timeoutMs: number;
  #wire: Promise<Wire> | undefined;

  constructor({ refuses, bytesMax = fetchBytesMax, timeoutMs = fetchTimeoutMs }: HttpSettings) {
    this.#refuses = refuses;
    this.#bytesMax = bytesMax;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * The object at `url`, tried again where a failure may pass. Never fails but by `signal`, with its reason: a failure is a
   * status. User and password before the host are sent to that host alone, and stand in no `location`; a redirect from https
   * to http is not followed. Without an answer: 400 for no URL of http or https, 403 for an address that must not be reached, 413 for too
   * many bytes, 502 where no connection comes about or one breaks off, 504 where it takes too long.
   */
  get(url: string, signal: AbortSignal): Promise<Fetched> {
    return fetchTries(url, signal, async () => {
      const [fetched, waitMs] = await this.#follow(url, signal);
      return { fetched, mayPass: statusMayPass(fetched.status), waitMs };
    });
  }

  /** What is found behind redirects, and the milliseconds that the server wants waited. */
  async #follow(from: string, signal: AbortSignal): Promise<[Fetched, number]> {
    let at = from;
    for (let hops = 0; hops <= fetchRedirectsMax; hops++) {
      const url = URL.canParse(at) ? new URL(at) : undefined;
      if (url?.protocol !== 'http:' && url?.protocol !== 'https:') return [failedFetch(at, 400), 0];
      const host = url.hostname.replace(/^\[|\]$/g, '');
      // Sockets to an address are opened without a lookup.
      if (isIP(host) !== 0 && this.#refuses(host)) return [failedFetch(shownUrl(url), 403), 0];
      const { answer, waitMs } = await this.#once(url, signal);
      if (!('redirect' in answer)) return [answer, waitMs];
      const to = URL.canParse(answer.redirect, at) ? new URL(answer.redirect, at) : undefined;
      // What was asked for in secret is not had in the open.
      if (to === undefined || (url.protocol === 'https:' && to.protocol === 'http:')) {
        return [failedFetch(shownUrl(url), answer.status), 0];
      }
      at = to.href;
    }
    return [failedFetch(shownUrl(new URL(at)), 508), 0];
  }

  #once(url: URL, signal: AbortSignal): Promise<{ answer: Answer; waitMs: number }> {
    const ask = async (own: AbortSignal): Promise<{ answer: Answer; waitMs: number }> => {
      const response = await this.#response(url, own);
      const waitMs = 1000 * (Number(response.headers['retry-after']) || 0);
      return { answer: await answerOf(shownUrl(url), response, this.#bytesMax), waitMs };
    };
    return withinTime(this.#timeoutMs, signal, ask, (error, isLate) => {
      const status = isLate ? 504 : error instanceof RefusedHost ? 403 : 502;
      return { answer: failedFetch(shownUrl(url), status), waitMs: 0 };
    });
  }

  async #response(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
    this.#wire ??= wireBut(this.#refuses);
    const ask = await this.#wire;
    const headers = { 'accept-encoding': 'identity', 'user-agent': 'spiral-loader' };
    return new Promise((resolve, reject) => {
      const request = ask(url, { signal, headers }, resolve);
      request.on('error', reject);
      request.end();
    });
  }
}

/** Sends a request. */
type Wire = (url: URL, options: RequestOptions, answered: (response: IncomingMessage) => void) => ClientRequest;

/** Loads what speaks HTTP, which threads that fetch nothing start sooner without. */
async function wireBut(refuses: (address: string) => boolean): Promise<Wire> {
  const [http, https, dns] = await Promise.all([import('node:http'), import('node:https'), import('node:dns')]);
  const kept = { keepAlive: true, maxFreeSockets: fetchConcurrency };
  const plain = new http.Agent(kept);
  const tls = new https.Agent(kept);
  const own = lookupBut(refuses, dns.lookup);
  return (url, options, answered) =>
    url.protocol === 'https:'
      ? https.request(url, { ...options, agent: tls, lookup: own }, answered)
      : http.request(url, { ...options, agent: plain, lookup: own }, answered);
}

/** A name that stands for none but refused addresses. */
class RefusedHost extends Error {}

/** Resolves a name to the addresses that are not refused, when a connection is made: it may stand for others by then. */
function lookupBut(refuses: (address: string) => boolean, find: typeof lookup): LookupFunction {
  return (host, options, callback) => {
    find(host, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error !== null) return callback(error, '');
      const allowed = found.filter(({ address }) => !refuses(address));
      const [first] = allowed;
      if (first === undefined) callback(new RefusedHost(`${host} has no address that may be reached.`), '');
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/** `url` as it stands in a column of results. */
function shownUrl(url: URL): string {
  const shown = new URL(url);
  [shown.username, shown.password] = ['', ''];
  return shown.href;
}

/** Reads `response` to its end where that is wanted. */
async function answerOf(location: string, response: IncomingMessage, bytesMax: number): Promise<Answer> {
  const { statusCode: status = 502, headers } = response;
  const end = (answer: Answer): Answer => {
    response.on('error', () => {});
    response.destroy();
    return answer;
  };
  if (redirects.has(status) && headers.location !== undefined) return end({ redirect: headers.location, status });
  if (status < 200 || status > 299) return end(failedFetch(location, status));
  if (Number(headers['content-length']) > bytesMax) return end(failedFetch(location, 413));
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > bytesMax) return end(failedFetch(location, 413));
    chunks.push(chunk);
  }
  const modified = Date.parse(headers['last-modified'] ?? '');
  const version = headers['x-amz-version-id'];
  return {
    bytes: Buffer.concat(chunks),
    location,
    lastModified: Number.isNaN(modified) ? null : modified,
    eTag: headers.etag ?? null,
    version: typeof version === 'string' ? version : null,
    status,
  };
}
