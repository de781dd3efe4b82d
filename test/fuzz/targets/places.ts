import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { isSpiralError } from '../../../src/core/errors.js';
import { globTest } from '../../../src/scan/file-glob.js';
import { filePlace } from '../../../src/scan/file-place.js';
import { httpStore } from '../../../src/storage/http-store.js';
import { checkPath } from '../../../src/storage/object-path.js';
import { openStore } from '../../../src/storage/open-store.js';
import { reopenUri } from '../../../src/storage/reopenable.js';
import { byteInputs, type FuzzTarget, type OpenTarget, wideTextInputs } from '../fuzz-target.js';
import { mutateBytes, pick } from '../mutate-bytes.js';
import { mutateText } from '../mutate-text.js';

/** What names a store, a file or a pattern. Nothing but memory is touched. */
async function openPlaces(): Promise<OpenTarget> {
  const uris = [
    'memory://name/a/b%20c',
    'file:///tmp/folder/x.parquet',
    './data/**/*.{csv,tsv}',
    's3://bucket.name/folder/part-[0-9]?.arrow',
    'https://user:pa%40ss@host.example:8443/a/b/',
    'http://[::1]:80/x/',
  ];
  return wideTextInputs(uris, async (uri) => {
    const refused: unknown[] = [];
    const tried = [() => useStore(uri), () => useFile(uri), () => globTest(uri)('data/a/b.csv'), () => checkPath(uri)];
    for (const attempt of tried) {
      try {
        await attempt();
      } catch (error) {
        if (!isSpiralError(error)) throw error;
        refused.push(error);
      }
    }
    if (refused.length === tried.length) throw refused[0];
  });
}

async function useStore(uri: string): Promise<void> {
  const store = openStore(uri);
  try {
    const again = reopenUri(store);
    if (again !== undefined) await openStore(again).close();
    if (!store.uri.startsWith('memory:')) return;
    await store.put('a/b', Uint8Array.of(1));
    for await (const { path } of store.list('')) await store.delete(path);
    await openStore(store.uri).close();
  } finally {
    await store.close();
  }
}

function useFile(uri: string): void {
  const place = filePlace(uri);
  place.open(place.segments);
  for (const segment of place.segments) globTest(segment)('x');
}

const body = 'abcdefghijklmnop';

/** What a web server says: any bytes at all. The bytes of a range that is accepted are as many as were asked for. */
async function openAnswers(): Promise<OpenTarget> {
  let answer: Uint8Array = new Uint8Array(0);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  server.unref();
  const uri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/folder`;
  const head = (status: string, ...headers: string[]): string =>
    [`HTTP/1.1 ${status}`, ...headers, 'Connection: close', '', ''].join('\r\n');
  const texts = [
    head('200 OK', 'Content-Length: 16', 'ETag: "a"', 'Last-Modified: Wed, 21 Oct 2015 07:28:00 GMT') + body,
    head('206 Partial Content', 'Content-Range: bytes 4-7/16', 'Content-Length: 4', 'ETag: W/"a"') + body.slice(4, 8),
    head('206 Partial Content', 'Content-Range: bytes 10-15/16', 'Content-Length: 6') + body.slice(10),
    ['HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', 'Connection: close', '', '10', body, '0', '', ''].join('\r\n'),
    head('416 Range Not Satisfiable', 'Content-Range: bytes */16', 'Content-Length: 0'),
    head('302 Found', 'Location: /folder/other', 'Content-Length: 0'),
    head('404 Not Found', 'Content-Length: 0'),
  ];
  const seeds = texts.map((text) => new Uint8Array(Buffer.from(text, 'latin1')));
  const parse = async (bytes: Uint8Array): Promise<void> => {
    answer = bytes;
    const store = httpStore(uri, { idleMs: 2000 });
    const refused: unknown[] = [];
    const tried = [
      () => store.get('x'),
      async () => {
        const range = await store.getRange('x', 4, 4);
        if (range.length !== 4) throw new Error(`${range.length} bytes of a range of 4.`);
      },
      async () => {
        const tail = await store.getTail('x', 6);
        if (tail.bytes.length > 6 || tail.bytes.length > tail.size) throw new Error('A tail longer than its object.');
      },
      () => store.head('x'),
    ];
    for (const attempt of tried) await Promise.resolve(attempt()).catch((error: unknown) => refused.push(error));
    await store.close();
    const wrong = refused.find((error) => !isSpiralError(error));
    if (wrong !== undefined) throw wrong;
    if (refused.length === tried.length) throw refused[0];
  };
  return {
    ...byteInputs(seeds, parse),
    seeds: seeds.slice(0, 1),
    input: (draw) =>
      draw.below(3) === 0
        ? mutateBytes(pick(seeds, draw), draw, pick(seeds, draw))
        : new Uint8Array(Buffer.from(mutateText(pick(texts, draw), draw, pick(texts, draw)), 'latin1')),
  };
}

export const placeTargets: readonly FuzzTarget[] = [
  { name: 'uri, path and pattern', ci: 120, long: 50_000, open: openPlaces },
  { name: 'answer of a web server', ci: 20, long: 4_000, open: openAnswers },
];
