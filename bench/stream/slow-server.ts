/**
 * A web server of a folder behind a slow link, in a process of its own: `slow-server.ts FOLDER BYTES_PER_SECOND LATENCY_MS`.
 * It tells its parent its port, and at every message the bytes that it sent since the last one.
 */
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [folder, bytesPerSecond, latencyMs] = [process.argv[2]!, Number(process.argv[3]), Number(process.argv[4])];
const piece = 256 * 1024;
let linkFreeMs = 0;
let sent = 0;

/** Waits until the link, which all answers share, has carried `bytes` more. */
async function carried(bytes: number): Promise<void> {
  const now = performance.now();
  linkFreeMs = Math.max(linkFreeMs, now) + (bytes / bytesPerSecond) * 1000;
  // Timers are whole milliseconds: what is ahead by less is made up for by what follows.
  if (linkFreeMs - now > 1) await sleep(linkFreeMs - now);
  sent += bytes;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  await sleep(latencyMs);
  const path = new URL(request.url!, 'http://localhost').pathname;
  await using file = await open(join(folder, path)).catch(() => undefined);
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  const { size, mtimeMs } = await file.stat();
  const range = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '');
  const [first = '', last = ''] = range?.slice(1) ?? [];
  const from = first !== '' ? Number(first) : Math.max(0, size - Number(last || size));
  const to = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  response.writeHead(range === null ? 200 : 206, {
    'content-length': to - from,
    'accept-ranges': 'bytes',
    etag: `"${size}-${mtimeMs}"`,
    ...(range === null ? {} : { 'content-range': `bytes ${from}-${to - 1}/${size}` }),
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  for (let at = from; at < to; at += piece) {
    const bytes = Buffer.allocUnsafe(Math.min(piece, to - at));
    await file.read(bytes, 0, bytes.length, at);
    await carried(bytes.length);
    if (response.destroyed) return;
    if (!response.write(bytes)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
  }
  response.end();
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('message', () => {
  process.send!(sent);
  sent = 0;
});
process.on('disconnect', () => process.exit(0));
