import type { IncomingMessage } from 'node:http';
import type { CloudCall, CloudRetry } from './cloud-client.js';
import type { GsSend } from './gs-client.js';
import { GsRefusal, refusalOf } from './gs-errors.js';

/** What the service has of an upload: all of it, or so many bytes. */
type Standing = 'whole' | number;

/**
 * A resumable upload of Google's JSON API: one session, parts one after the other, each a multiple of 256 KiB but the last,
 * which tells the size and makes the object. What part is the last is known once no other follows, so one is kept back.
 */
export class GsUpload {
  readonly #url: string;
  readonly #resource: string;
  readonly #send: GsSend;
  readonly #retry: CloudRetry;
  #session = '';
  #kept: Uint8Array | undefined;
  #sentBytes = 0;
  #sending: Promise<void> = Promise.resolve();

  /** @param resource what is known of the object, in JSON. */
  constructor(url: string, resource: string, send: GsSend, retry: CloudRetry) {
    this.#url = url;
    this.#resource = resource;
    this.#send = send;
    this.#retry = retry;
  }

  /** Begins a session. Its address is a secret. */
  async begin(): Promise<string> {
    const headers = {
      'content-type': 'application/json; charset=UTF-8',
      'x-upload-content-type': 'application/octet-stream',
    };
    const ask = { method: 'POST', url: this.#url, headers, body: [Buffer.from(this.#resource)] } as const;
    this.#session = await this.#retry((call) =>
      this.#send(ask, call, async (response) => {
        const { location } = response.headers;
        if (response.statusCode !== 200 || location === undefined) throw await refusalOf(response);
        return location;
      }),
    );
    return 'session';
  }

  /** Sends the part before this one, and keeps this one. */
  async part(number: number, bytes: Uint8Array): Promise<string> {
    const before = this.#kept;
    this.#kept = bytes;
    if (before !== undefined) {
      this.#sending = this.#sending.then(() => this.#put(before, false));
      await this.#sending;
    }
    return String(number);
  }

  /** Sends the last part, which makes the object. */
  async complete(): Promise<void> {
    await this.#sending;
    await this.#put(this.#kept ?? new Uint8Array(0), true);
  }

  async abort(): Promise<void> {
    await this.#sending.catch(() => {});
    const ask = { method: 'DELETE', url: this.#session } as const;
    await this.#retry(
      (call) =>
        this.#send(ask, call, async (response) => {
          // The status of an upload that was ended is 499.
          if (response.statusCode! >= 500) throw await refusalOf(response);
        }),
      'end',
    );
  }

  async #put(bytes: Uint8Array, isLast: boolean): Promise<void> {
    const from = this.#sentBytes;
    const total = isLast ? from + bytes.length : undefined;
    await this.#retry(
      async (call, failed) => {
        // What was sent before the failure may have come, whole or in part.
        let has: Standing = failed === 0 ? from : await this.#standing(total, call);
        while (has !== 'whole' && (has < from + bytes.length || isLast)) {
          if (has < from) throw new GsRefusal(503, 'lostBytes', false, undefined);
          const next = await this.#chunk(bytes.subarray(has - from), has, total, call);
          // One that takes nothing would be asked for ever.
          if (next !== 'whole' && next <= has) throw new GsRefusal(503, 'lostBytes', false, undefined);
          has = next;
        }
      },
      isLast ? 'whole' : 'part',
    );
    this.#sentBytes += bytes.length;
  }

  #chunk(bytes: Uint8Array, at: number, total: number | undefined, call: CloudCall): Promise<Standing> {
    const span = bytes.length === 0 ? '*' : `${at}-${at + bytes.length - 1}`;
    const headers = { 'content-range': `bytes ${span}/${total ?? '*'}` };
    return this.#send({ method: 'PUT', url: this.#session, headers, body: [bytes] }, call, standingOf);
  }

  #standing(total: number | undefined, call: CloudCall): Promise<Standing> {
    const headers = { 'content-range': `bytes */${total ?? '*'}` };
    return this.#send({ method: 'PUT', url: this.#session, headers, body: [] }, call, standingOf);
  }
}

async function standingOf(response: IncomingMessage): Promise<Standing> {
  const { statusCode, headers } = response;
  if (statusCode === 200 || statusCode === 201) return 'whole';
  if (statusCode !== 308) throw await refusalOf(response);
  const last = /^bytes=0-(\d+)$/.exec(headers.range ?? '')?.[1];
  return last === undefined ? 0 : Number(last) + 1;
}
