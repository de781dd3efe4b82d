import { type FileHandle, open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** How a {@link fileServer} answers. */
export interface FileServerOptions {
  /** Default true: requests for a range get it, else the whole file. */
  readonly ranges?: boolean;
  /** Default 'strong'. */
  readonly etags?: 'strong' | 'weak' | 'none';
  /** Answers instead, where it gives true. */
  readonly instead?: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
}

/** A web server of this process. */
export interface FileServer extends AsyncDisposable {
  readonly url: string;
  /** The requests so far. */
  readonly asked: { readonly method: string; readonly path: string; readonly headers: IncomingMessage['headers'] }[];
  /** Connections made so far. */
  readonly connections: () => number;
  /** Requests that were answered at once, at most. */
  readonly together: () => number;
}

/** Serves the files below `root` as a web server does: HEAD and GET, ranges, ETags, times. */
export async function fileServer(root: string, options: FileServerOptions = {}): Promise<FileServer> {
  const asked: FileServer['asked'] = [];
  let [connections, now, most] = [0, 0, 0];
  const server = createServer((request, response) => {
    asked.push({ method: request.method!, path: request.url!, headers: request.headers });
    most = Math.max(most, ++now);
    response.on('close', () => now--);
    const answer = async (): Promise<void> => {
      if ((await options.instead?.(request, response)) === true) return;
      await serve(root, request, response, options);
    };
    answer().catch(() => response.destroy());
  });
  server.on('connection', () => connections++);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    connections: () => connections,
    together: () => most,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function serve(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  { ranges = true, etags = 'strong' }: FileServerOptions,
): Promise<void> {
  const path = request.url!.split('?')[0]!.split('/').map(decodeURIComponent).join('/');
  const file = await open(join(root, path)).catch(() => undefined);
  try {
    const stat = await file?.stat({ bigint: true });
    if (file === undefined || stat?.isFile() !== true)
      return void response.writeHead(404, { 'content-length': 12 }).end('nothing here');
    const size = Number(stat.size);
    const etag = `"${stat.ino}-${stat.mtimeNs}-${size}"`;
    const headers = {
      'last-modified': new Date(Number(stat.mtimeMs)).toUTCString(),
      ...(etags === 'none' ? {} : { etag: etags === 'weak' ? `W/${etag}` : etag }),
    };
    const wanted = ranges && request.method === 'GET' ? rangeOf(request.headers.range, size) : undefined;
    if (wanted === 'none') {
      response.writeHead(416, { ...headers, 'content-range': `bytes */${size}`, 'content-length': 0 }).end();
      return;
    }
    const [from, to] = wanted ?? [0, size];
    const part = wanted === undefined ? {} : { 'content-range': `bytes ${from}-${to - 1}/${size}` };
    response.writeHead(wanted === undefined ? 200 : 206, { ...headers, ...part, 'content-length': to - from });
    if (request.method === 'HEAD' || from === to) response.end();
    else await pipeline(streamOf(file, from, to), response);
  } finally {
    await file?.close();
  }
}

/** The range that is asked for; 'none' where the file has no byte of it. */
function rangeOf(header: string | undefined, size: number): [number, number] | 'none' | undefined {
  const [whole, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (whole === undefined) return undefined;
  if (first === '') return size === 0 ? 'none' : [Math.max(0, size - Number(last)), size];
  if (Number(first) >= size) return 'none';
  return [Number(first), last === '' ? size : Math.min(size, Number(last) + 1)];
}

async function* streamOf(file: FileHandle, from: number, to: number): AsyncGenerator<Uint8Array> {
  for (let at = from; at < to; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(65_536, to - at)), 0, undefined, at);
    if (bytesRead === 0) throw new Error('The file was cut short.');
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}
