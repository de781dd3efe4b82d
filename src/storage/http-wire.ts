import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { cancelled, checkSignal } from '../core/abort.js';
import { AbortWatch } from '../core/abort-watch.js';
import { SpiralError } from '../core/errors.js';
import { fetchRedirectsMax, httpConnectionsMax } from '../core/limits.js';

/** One thing that is asked of a web server. */
export interface HttpAsk {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What is sent, at once. Such a request follows no redirect, and is sent once: nobody can tell whether it was heard. */
  readonly body?: readonly Uint8Array[] | undefined;
  /** Sent to the origin of `url` alone, wherever it redirects to. */
  readonly authorization: string | undefined;
  /** Milliseconds without a byte after which it is given up. */
  readonly idleMs: number;
  readonly signal: AbortSignal | undefined;
  /** Names the work, where it is cancelled. */
  readonly what: string;
}

/** No answer, or one that broke off: why is the `cause`. */
export class NoAnswer extends Error {}
/** Silence for `idleMs`. */
export class Stalled extends Error {}
/** A redirect that is not followed; the message says why. */
export class BadRedirect extends Error {}

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Bodies that nobody reads are taken in up to this size, so that their connection can be used again. */
const drainBytesMax = 64 * 1024;
/** Kept connections that the server has closed meanwhile are met one after the other. */
const staleTriesMax = 8;

const aborts = new AbortWatch();

/**
 * What `read` makes of the answer to `ask`, redirects followed. Connections are kept for the next requests, and keep no
 * process alive; at most `httpConnectionsMax` are open to one host, the rest of the requests wait.
 *
 * @throws SpiralError `cancelled`; {@link NoAnswer}, {@link Stalled}, {@link BadRedirect}; and what `read` throws.
 */
export async function exchange<T>(ask: HttpAsk, read: (response: IncomingMessage) => Promise<T> | T): Promise<T> {
  const home = new URL(ask.url).origin;
  let at = new URL(ask.url);
  for (let hops = 0; hops <= fetchRedirectsMax; hops++) {
    const authorization = at.origin === home ? ask.authorization : undefined;
    const answer = await once(ask, at, authorization, async (response) => {
      const { location } = response.headers;
      if (!redirects.has(response.statusCode!) || location === undefined) return { value: await read(response) };
      return { location };
    });
    if (!('location' in answer)) return answer.value;
    if (!isSafe(ask)) throw new BadRedirect('a redirect of a request that writes');
    at = redirected(at, answer.location);
  }
  throw new BadRedirect(`more than ${fetchRedirectsMax} redirects`);
}

/** Nothing of the new address is told: it may hold a signature. */
function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (to?.protocol !== 'http:' && to?.protocol !== 'https:') throw new BadRedirect('a redirect to what is no web page');
  if (from.protocol === 'https:' && to.protocol === 'http:') throw new BadRedirect('a redirect from https to http');
  [to.username, to.password] = ['', ''];
  if (to.origin === from.origin && to.pathname === `${from.pathname}/`) throw new FolderRedirect('a folder');
  return to;
}

/** What a web server says of a folder that is asked for without its '/'. */
export class FolderRedirect extends Error {}

async function once<T>(
  ask: HttpAsk,
  url: URL,
  authorization: string | undefined,
  read: (response: IncomingMessage) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    checkSignal(ask.signal, ask.what);
    const sent = new Exchange(await wire(), ask, url, authorization);
    try {
      return await sent.run(read);
    } catch (error) {
      checkSignal(ask.signal, ask.what);
      if (!isSafe(ask) || !sent.stale || tries === staleTriesMax) throw error;
    }
  }
}

function isSafe({ method }: HttpAsk): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** One request and its answer. */
class Exchange {
  readonly #request: ClientRequest;
  readonly #answered: Promise<IncomingMessage>;
  readonly #ask: HttpAsk;
  #response: IncomingMessage | undefined;
  #reason: Error | undefined;

  constructor(wire: Wire, ask: HttpAsk, url: URL, authorization: string | undefined) {
    const bytes = ask.body?.reduce((sum, piece) => sum + piece.length, 0);
    const headers = {
      ...(bytes === undefined ? {} : { 'content-length': `${bytes}` }),
      'accept-encoding': 'identity',
      'user-agent': 'spiral-loader',
      ...(authorization === undefined ? {} : { authorization }),
      ...ask.headers,
    };
    this.#ask = ask;
    this.#request = wire(url, { method: ask.method, headers, timeout: ask.idleMs });
    this.#request.on('timeout', () => this.#end(new Stalled(`no byte for ${ask.idleMs} ms`)));
    this.#answered = new Promise((resolve, reject) => {
      this.#request.on('response', (response) => {
        this.#response = response;
        // Without a listener, a connection that breaks while nobody reads would end the process.
        response.on('error', () => {});
        resolve(response);
      });
      this.#request.on('error', reject);
    });
    for (const piece of ask.body ?? []) this.#request.write(piece);
    this.#request.end();
  }

  /** Whether the server had closed the kept connection before it got the request. */
  get stale(): boolean {
    return this.#request.reusedSocket && this.#response === undefined && this.#reason === undefined;
  }

  async run<T>(read: (response: IncomingMessage) => Promise<T>): Promise<T> {
    const { signal, what } = this.#ask;
    const unwatch = signal === undefined ? undefined : aborts.watch(signal, () => this.#end(cancelled(signal, what)));
    try {
      const response = await this.#answered;
      const value = await read(response);
      await leave(response);
      return value;
    } catch (error) {
      if (this.#reason !== undefined) throw this.#reason;
      const broken = isSystemError(error);
      if (this.#response !== undefined && !broken) await leave(this.#response);
      throw broken ? new NoAnswer(error.message, { cause: error }) : error;
    } finally {
      unwatch?.();
    }
  }

  #end(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    if (this.#response === undefined) this.#request.destroy(reason);
    else this.#response.destroy(reason);
  }
}

/** Makes the connection free for others, or ends it where more is to come than is worth reading. */
async function leave(response: IncomingMessage): Promise<void> {
  if (response.readableEnded || response.destroyed) return;
  let left = drainBytesMax;
  if (Number(response.headers['content-length'] ?? 0) > left && !response.complete) response.destroy();
  const ended = new Promise((resolve) => response.on('end', resolve).on('close', resolve));
  response.on('data', (chunk: Uint8Array) => {
    left -= chunk.length;
    if (left < 0) response.destroy();
  });
  // What has come already takes no time; the rest nobody waits for.
  if (response.complete) await ended;
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error &&
    typeof (error as NodeJS.ErrnoException).code === 'string' &&
    !(error instanceof SpiralError)
  );
}

type Wire = (url: URL, options: RequestOptions) => ClientRequest;

let loaded: Promise<Wire> | undefined;

/** What speaks HTTP, one for all stores of the thread; threads that read no web server start sooner without. */
function wire(): Promise<Wire> {
  loaded ??= Promise.all([import('node:http'), import('node:https')]).then(([http, https]) => {
    const kept = { keepAlive: true, maxSockets: httpConnectionsMax, maxFreeSockets: httpConnectionsMax };
    const plain = new http.Agent(kept);
    const tls = new https.Agent(kept);
    return (url, options) =>
      url.protocol === 'https:'
        ? https.request(url, { ...options, agent: tls })
        : http.request(url, { ...options, agent: plain });
  });
  return loaded;
}
