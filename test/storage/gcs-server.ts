import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { uniqueId } from '../../src/core/random.js';

interface Stored {
  readonly bytes: Buffer;
  readonly generation: number;
  readonly timeCreated: string;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly encoding?: string;
}
interface Session {
  readonly name: string;
  readonly metadata: Stored['metadata'];
  readonly condition: string | null;
  bytes: Buffer;
}

/** How a {@link gcsServer} answers. */
export interface GcsServerOptions {
  /** Objects of a page of a list. Default 1000, as Google's. */
  readonly pageSize?: number;
  /** Whether `ifGenerationMatch` is heeded. Default true. */
  readonly heedsConditions?: boolean;
  /** Answers instead, or breaks off, where it gives true; `done`: what was asked has been done. */
  readonly instead?: (request: IncomingMessage, response: ServerResponse, done: boolean) => boolean;
}

/** A server of this process. */
export interface GcsServer extends AsyncDisposable {
  readonly url: string;
  readonly asked: { readonly method: string; readonly url: string; readonly headers: IncomingMessage['headers'] }[];
  /** Objects of the bucket, by name. */
  readonly objects: Map<string, Stored>;
  /** Uploads that were begun and neither ended nor completed. */
  readonly sessions: Map<string, Session>;
}

/**
 * What of Google's JSON API for Cloud Storage this package asks for, over objects in memory, as the public reference has it:
 * media by ranges, metadata, lists by pages, multipart and resumable uploads, preconditions by generation, errors with their
 * reasons. One bucket, `bucket`; there is no emulator in the registries that tests may use.
 */
export async function gcsServer(options: GcsServerOptions = {}): Promise<GcsServer> {
  const [objects, sessions, asked] = [new Map<string, Stored>(), new Map<string, Session>(), [] as GcsServer['asked']];
  const service = new Service(objects, sessions, options);
  const server = createServer((request, response) => {
    asked.push({ method: request.method!, url: request.url!, headers: request.headers });
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (options.instead?.(request, response, false) === true) return;
      const answer = service.answer(request, Buffer.concat(chunks));
      if (options.instead?.(request, response, true) === true) return;
      response.writeHead(answer.status, { ...answer.headers, 'content-length': answer.body?.length ?? 0 });
      response.end(answer.body);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  service.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: service.url,
    asked,
    objects,
    sessions,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

const json = (status: number, value: unknown): Answer => ({
  status,
  headers: { 'content-type': 'application/json; charset=UTF-8' },
  body: Buffer.from(JSON.stringify(value)),
});

export const gcsError = (status: number, reason: string, message = 'No.'): Answer =>
  json(status, { error: { code: status, message, errors: [{ message, domain: 'global', reason }] } });

class Service {
  url = '';
  #generation = 1_700_000_000_000_000;
  readonly #objects: Map<string, Stored>;
  readonly #sessions: Map<string, Session>;
  /** Answers of sessions that made their object: whoever asks again is told so. */
  readonly #completed: Map<string, Answer> = new Map();
  readonly #options: GcsServerOptions;

  constructor(objects: Map<string, Stored>, sessions: Map<string, Session>, options: GcsServerOptions) {
    this.#objects = objects;
    this.#sessions = sessions;
    this.#options = options;
  }

  answer(request: IncomingMessage, body: Buffer): Answer {
    const url = new URL(request.url!, this.url);
    const session = url.searchParams.get('upload_id');
    if (session !== null) return this.#continue(request, session, body);
    const [, upload, bucket, key] = /^(\/upload)?\/storage\/v1\/b\/([^/]+)\/o(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
    if (bucket === undefined) return gcsError(404, 'notFound');
    if (decodeURIComponent(bucket) !== 'bucket')
      return gcsError(404, 'notFound', 'The specified bucket does not exist.');
    if (upload !== undefined) return this.#upload(request, url, body);
    if (key === undefined) return this.#list(url);
    return this.#object(request, decodeURIComponent(key), url);
  }

  #object(request: IncomingMessage, name: string, url: URL): Answer {
    const found = this.#objects.get(name);
    if (found === undefined) return gcsError(404, 'notFound', `No such object: bucket/${name}`);
    if (request.method === 'DELETE') {
      this.#objects.delete(name);
      return { status: 204 };
    }
    if (url.searchParams.get('alt') !== 'media') return json(200, resource(name, found));
    const { bytes, generation, encoding } = found;
    const headers = {
      'x-goog-generation': `${generation}`,
      'x-goog-stored-content-encoding': encoding ?? 'identity',
      ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
      'content-type': 'application/octet-stream',
    };
    const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    if (request.headers.range === undefined) return { status: 200, headers, body: bytes };
    const from = first === '' ? Math.max(0, bytes.length - Number(last)) : Number(first);
    const to = first === '' || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1);
    if (from >= bytes.length) return { ...gcsError(416, 'requestedRangeNotSatisfiable') };
    const range = { 'content-range': `bytes ${from}-${to - 1}/${bytes.length}` };
    return { status: 206, headers: { ...headers, ...range }, body: bytes.subarray(from, to) };
  }

  #list(url: URL): Answer {
    const [prefix, token] = [url.searchParams.get('prefix') ?? '', url.searchParams.get('pageToken')];
    const names = [...this.#objects.keys()]
      .filter((name) => name.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    const after = token === null ? undefined : Buffer.from(token, 'base64');
    const rest = names.filter((name) => after === undefined || Buffer.compare(Buffer.from(name), after) > 0);
    const page = rest.slice(0, this.#options.pageSize ?? 1000);
    const nextPageToken = rest.length > page.length ? Buffer.from(page.at(-1)!).toString('base64') : undefined;
    return json(200, {
      ...(page.length === 0 ? {} : { items: page.map((name) => resource(name, this.#objects.get(name)!)) }),
      nextPageToken,
    });
  }

  #upload(request: IncomingMessage, url: URL, body: Buffer): Answer {
    const condition = url.searchParams.get('ifGenerationMatch');
    if (url.searchParams.get('uploadType') === 'resumable') {
      const { name, metadata } = JSON.parse(body.toString()) as Pick<Session, 'name' | 'metadata'>;
      const id = uniqueId('');
      this.#sessions.set(id, { name, metadata, condition, bytes: Buffer.alloc(0) });
      return {
        status: 200,
        headers: { location: `http://${request.headers.host}${url.pathname}?uploadType=resumable&upload_id=${id}` },
      };
    }
    const boundary = /boundary=(.*)$/.exec(request.headers['content-type'] ?? '')?.[1];
    const parts = body.toString('latin1').split(`--${boundary}`);
    if (boundary === undefined || parts.length !== 4) return gcsError(400, 'badRequest');
    const [resourceText, media] = parts.slice(1, 3).map((part) => part.slice(part.indexOf('\r\n\r\n') + 4, -2));
    const { name, metadata } = JSON.parse(Buffer.from(resourceText!, 'latin1').toString()) as Session;
    return this.#make(name, { metadata, bytes: Buffer.from(media!, 'latin1') }, condition);
  }

  #continue(request: IncomingMessage, id: string, body: Buffer): Answer {
    const session = this.#sessions.get(id);
    if (session === undefined) return this.#completed.get(id) ?? gcsError(410, 'gone');
    if (request.method === 'DELETE') {
      this.#sessions.delete(id);
      return { status: 499 };
    }
    const [, from, to, total] =
      /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(request.headers['content-range'] ?? '') ?? [];
    if (total === undefined) return gcsError(400, 'badRequest');
    if (from !== undefined) {
      if (Number(to) - Number(from) + 1 !== body.length || Number(from) > session.bytes.length) {
        return gcsError(503, 'backendError');
      }
      // Only the last part may be of any size.
      if (total === '*' && body.length % (256 * 1024) !== 0) return gcsError(400, 'invalid');
      session.bytes = Buffer.concat([session.bytes.subarray(0, Number(from)), body]);
    }
    if (total !== '*' && session.bytes.length === Number(total)) {
      this.#sessions.delete(id);
      const made = this.#make(session.name, session, session.condition);
      this.#completed.set(id, made);
      return made;
    }
    const has: Record<string, string> =
      session.bytes.length === 0 ? {} : { range: `bytes=0-${session.bytes.length - 1}` };
    return { status: 308, headers: has };
  }

  #make(name: string, { bytes, metadata }: Pick<Stored, 'bytes' | 'metadata'>, condition: string | null): Answer {
    const isWanted = condition === null || Number(condition) === (this.#objects.get(name)?.generation ?? 0);
    if (!isWanted && this.#options.heedsConditions !== false) return gcsError(412, 'conditionNotMet');
    const timeCreated = new Date().toISOString();
    const made = { bytes, metadata, generation: ++this.#generation, timeCreated };
    this.#objects.set(name, made);
    return json(200, resource(name, made));
  }
}

function resource(name: string, { bytes, generation, timeCreated, metadata }: Stored): object {
  return { kind: 'storage#object', name, size: `${bytes.length}`, generation: `${generation}`, timeCreated, metadata };
}

/** Has this process find the service at `url`, or Google's own. */
export function useGcs(url: string | undefined): void {
  if (url === undefined) delete process.env['STORAGE_EMULATOR_HOST'];
  else process.env['STORAGE_EMULATOR_HOST'] = url;
}
