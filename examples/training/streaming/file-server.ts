/**
 * A web server of the files in a folder, as a data set may be published: `node --import tsx file-server.ts FOLDER` prints its
 * port, and ends when its standard input does, so that it never outlives who started it.
 */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, normalize } from 'node:path';

const folder = process.argv[2]!;

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = normalize(decodeURIComponent(new URL(request.url!, 'http://server').pathname));
  const file = join(folder, path);
  const found = path.startsWith('..') ? undefined : await stat(file).catch(() => undefined);
  if (found === undefined || !found.isFile()) {
    response.writeHead(404).end();
    return;
  }
  const headers = {
    'accept-ranges': 'bytes',
    etag: `"${found.size}-${found.mtimeMs}"`,
    'last-modified': found.mtime.toUTCString(),
  };
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const end = Math.min(found.size - 1, range?.[2] ? Number(range[2]) : found.size - 1);
  if (range !== null && start > end) {
    response.writeHead(416, { ...headers, 'content-range': `bytes */${found.size}` }).end();
    return;
  }
  const partial = range === null ? {} : { 'content-range': `bytes ${start}-${end}/${found.size}` };
  response.writeHead(range === null ? 200 : 206, { ...headers, ...partial, 'content-length': end - start + 1 });
  if (request.method === 'HEAD' || found.size === 0) response.end();
  else createReadStream(file, { start, end }).pipe(response);
}

const server = createServer((request, response) => {
  answer(request, response).catch((error) => response.destroy(error));
});
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.stdin.on('end', () => process.exit(0)).resume();
// Who started it is told to stop by the same signal, and saves what it has first.
process.on('SIGINT', () => {});
