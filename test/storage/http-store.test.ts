import { mkdir, rename, utimes, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer as createRawServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { isSpiralError } from '../../src/core/errors.js';
import { httpConnectionsMax, wholeAnswerBytesMax } from '../../src/core/limits.js';
import { httpStore } from '../../src/storage/http-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { reopenUri } from '../../src/storage/reopenable.js';
import { subStore } from '../../src/storage/sub-store.js';
import { bytesOf } from '../../src/testing/store-law-probes.js';
import { refusal } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { fileServer } from './file-server.js';
import { temporaryFolder } from './temporary-folder.js';
import { tlsServer, trustAll } from './tls-server.js';

const folder = await temporaryFolder();
afterAll(() => folder[Symbol.asyncDispose]());
const at = (...path: string[]): string => join(folder.path, ...path);
const content = bytesOf('http-store', 200_000);
await mkdir(at('a b'));
await writeFile(at('x'), content);
await writeFile(at('a b', 'ü%.bin'), content);

type Instead = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
type Page = (response: ServerResponse, request: IncomingMessage) => void;

/** A server of `pages`, by path, and of the folder. */
function pages(of: Record<string, Page>): { instead: Instead } {
  const instead: Instead = (request, response) => {
    const page = of[request.url!];
    page?.(response, request);
    return page !== undefined;
  };
  return { instead };
}

describe('an httpStore', () => {
  it('reads files below a folder of the server, whatever their names', async () => {
    await using server = await fileServer(folder.path);
    for (const uri of [server.url, `${server.url}/`, `${server.url}/a%20b`, `${server.url}/a b/`]) {
      const store = openStore(uri);
      const path = uri.includes('b') ? 'ü%.bin' : 'a b/ü%.bin';
      expect(Buffer.compare(await store.get(path), content), uri).toBe(0);
      expect(store.uri).toBe(uri.replace(' ', '%20').replace(/\/$/, ''));
    }
  });

  it('keeps its connections for the next reads, with as many as its limit', async () => {
    await using server = await fileServer(folder.path);
    const store = httpStore(server.url);
    for (let turn = 0; turn < 10; turn++) {
      await store.getRange('x', turn, 1000);
      expect(await store.head('missing')).toBeUndefined();
    }
    expect(server.connections()).toBe(1);
    await Promise.all(Array.from({ length: 200 }, (_, turn) => store.getRange('x', turn, 1000)));
    expect(server.together()).toBeLessThanOrEqual(httpConnectionsMax);
    expect(server.connections()).toBeLessThanOrEqual(httpConnectionsMax);
    expect(server.together()).toBeGreaterThan(4);
  });

  it('goes on over a new connection where the server has closed a kept one', async () => {
    await using server = await fileServer(folder.path, {
      instead: (request, response) => {
        // Closed while it is idle: the next request meets a connection that is no more.
        response.on('finish', () => setImmediate(() => request.socket.destroySoon()));
        return false;
      },
    });
    const store = httpStore(server.url);
    for (let turn = 0; turn < 20; turn++)
      expect(await store.getRange('x', turn, 3)).toEqual(content.slice(turn, turn + 3));
  });

  it('reads one version, and says so where a file was replaced between two ranges', async () => {
    for (const etags of ['strong', 'weak', 'none'] as const) {
      await using server = await fileServer(folder.path, { etags });
      const store = httpStore(server.url);
      await writeFile(at('v'), bytesOf('first', 1000));
      await utimes(at('v'), 1000, 1000);
      await store.getTail('v', 8);
      await store.getRange('v', 0, 100);
      await writeFile(at('w'), bytesOf('second', 1000));
      await rename(at('w'), at('v'));
      for (let turn = 0; turn < 2; turn++) {
        expect(await refusal(store.getRange('v', 0, 100)), etags).toMatchObject({ code: 'file_changed' });
      }
      expect((await store.getTail('v', 10)).bytes).toEqual(bytesOf('second', 1000).slice(-10));
      expect(await store.getRange('v', 0, 100)).toEqual(bytesOf('second', 1000).slice(0, 100));
      expect((await store.head('v'))?.modifiedMs, 'whole seconds').toBeGreaterThan(1e12);
    }
  });

  it.each([
    [404, 'not_found'],
    [410, 'not_found'],
    [401, 'permission_denied'],
    [403, 'permission_denied'],
    [408, 'unavailable'],
    [429, 'unavailable'],
    [500, 'unavailable'],
    [503, 'unavailable'],
    [400, 'invalid_argument'],
    [204, 'unsupported'],
  ])('takes status %i for %s', async (status, code) => {
    await using server = await fileServer(
      folder.path,
      pages({ '/s': (to) => void to.writeHead(status, status === 503 ? { 'retry-after': '7' } : {}).end() }),
    );
    const store = httpStore(server.url);
    const errors = [refusal(store.get('s')), refusal(store.getRange('s', 0, 5)), refusal(store.getTail('s', 5))];
    for (const error of await Promise.all(errors)) {
      expect(error).toMatchObject({ code, message: expect.stringContaining('"s"') });
      if (status === 503) expect(error.details['retryAfterMs']).toBe(7000);
    }
    if (code === 'not_found') expect(await store.head('s')).toBeUndefined();
    else expect(await refusal(store.head('s'))).toMatchObject({ code });
  });

  it('says unavailable where nobody answers, the answer breaks off, or the server falls silent', async () => {
    await using server = await fileServer(
      folder.path,
      pages({
        '/broken': (to) => void to.writeHead(200, { 'content-length': 100 }).write('half', () => to.destroy()),
        '/chunked': (to) => void to.writeHead(200).write('half', () => to.destroy()),
        '/mute': () => {},
        '/stuck': (to) => void to.writeHead(200, { 'content-length': 100 }).write('half'),
      }),
    );
    const store = httpStore(server.url, { idleMs: 150 });
    for (const path of ['broken', 'chunked', 'mute', 'stuck']) {
      for (const work of [store.get(path), store.getRange(path, 0, 50), store.getTail(path, 5)]) {
        expect(await refusal(work), path).toMatchObject({ code: 'unavailable', details: { path } });
      }
    }
    expect(await refusal(httpStore('http://127.0.0.1:1').get('x'))).toMatchObject({
      code: 'unavailable',
      details: { systemCode: 'ECONNREFUSED' },
    });
  });

  it('ends a read at once when its signal aborts, and writes into no memory any more', async () => {
    let asked = (): void => {};
    await using server = await fileServer(
      folder.path,
      pages({
        '/mute': () => asked(),
        '/stuck': (to) => void to.writeHead(206, { 'content-range': 'bytes 0-99/100' }).write('half', () => asked()),
      }),
    );
    const store = httpStore(server.url);
    for (const path of ['mute', 'stuck']) {
      const abort = new AbortController();
      const begun = new Promise<void>((resolve) => {
        asked = resolve;
      });
      const into = new Uint8Array(100);
      const reads = Array.from({ length: 20 }, () => store.getRange(path, 0, 100, { signal: abort.signal, into }));
      const ended = Promise.all(reads.map(refusal));
      await begun;
      abort.abort(new Error('enough'));
      for (const error of await ended) expect(error).toMatchObject({ code: 'cancelled', cause: { message: 'enough' } });
    }
  });

  it('reads servers that send whole files only, up to a size', async () => {
    const huge = wholeAnswerBytesMax + 1000;
    await using server = await fileServer(folder.path, {
      ranges: false,
      ...pages({ '/huge': (to) => void to.writeHead(200, { 'content-length': huge }).write(new Uint8Array(3000)) }),
    });
    const store = httpStore(server.url);
    expect(await store.getRange('x', 199_000, 1000)).toEqual(content.slice(199_000));
    expect(await refusal(store.getRange('x', 199_000, 1001))).toMatchObject({ code: 'corrupt_file' });
    expect(await store.getRange('huge', 1000, 2000)).toEqual(new Uint8Array(2000));
    expect(await refusal(store.getRange('huge', huge - 10, 10))).toMatchObject({ code: 'unsupported' });
    expect(await refusal(store.getTail('huge', 10))).toMatchObject({ code: 'unsupported' });
  });

  it('reads servers that know no HEAD, no ranges from the end, and send less than was asked for', async () => {
    const part = (to: ServerResponse, from: number, length: number): void => {
      const end = Math.min(content.length, from + length);
      to.writeHead(206, { 'content-range': `bytes ${from}-${end - 1}/${content.length}`, etag: '"1"' });
      to.end(content.slice(from, end));
    };
    await using server = await fileServer(
      folder.path,
      pages({
        '/odd': (to, { method, headers: { range } }) => {
          if (method === 'HEAD') to.writeHead(405).end();
          else if (range!.startsWith('bytes=-')) part(to, 0, Number(range!.slice(7)));
          else {
            const [from, last] = range!.match(/\d+/g)!.map(Number);
            part(to, from!, Math.min(70_000, last! + 1 - from!));
          }
        },
      }),
    );
    const store = httpStore(server.url);
    expect(await store.head('odd')).toEqual({ path: 'odd', size: content.length, modifiedMs: 0, etag: '"1"' });
    expect(await store.getTail('odd', 10)).toEqual({ bytes: content.slice(-10), size: content.length });
    expect(await store.getRange('odd', 5, 190_000)).toEqual(content.slice(5, 190_005));
    expect(await refusal(store.getRange('odd', 5, 200_000))).toMatchObject({ code: 'corrupt_file' });
  });

  it.each<[string, Page, string]>([
    ['that encodes it', (to) => void to.writeHead(200, { 'content-encoding': 'gzip' }).end('zip'), 'unsupported'],
    [
      'that tells another range',
      (to) => void to.writeHead(206, { 'content-range': 'bytes 7-11/100' }).end('wrong'),
      'unavailable',
    ],
    ['that tells no range', (to) => void to.writeHead(206, { 'content-length': 5 }).end('wrong'), 'unavailable'],
    [
      'that tells more than the file has',
      (to) => void to.writeHead(206, { 'content-range': 'bytes 0-4/3' }).end('wrong'),
      'unavailable',
    ],
  ])('gives no bytes of a server %s', async (_, page, code) => {
    await using server = await fileServer(folder.path, pages({ '/y': page }));
    expect(await refusal(httpStore(server.url).getRange('y', 0, 5))).toMatchObject({ code });
  });

  it('refuses an answer whose end cannot be told from a broken connection', async () => {
    const server = createRawServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nhalf of it'));
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as { port: number };
    expect(await refusal(httpStore(`http://127.0.0.1:${port}`).get('x'))).toMatchObject({ code: 'unsupported' });
    await new Promise((closed) => server.close(closed));
  });

  it('follows redirects, with credentials for the first host alone', async () => {
    const seen: (string | undefined)[] = [];
    const note: Instead = (request) => {
      seen.push(request.headers.authorization);
      return false;
    };
    await using other = await fileServer(folder.path, { instead: note });
    await using server = await fileServer(folder.path, {
      instead: (request, response) => {
        const to = { '/near': '/x', '/far': `${other.url}/x`, '/loop': '/loop', '/file': 'file:///x', '/d': '/d/' }[
          request.url!
        ];
        if (to === undefined) return note(request, response);
        response.writeHead(302, { location: to }).end();
        return true;
      },
    });
    const store = openStore(server.url.replace('//', '//me%40home:se%2Fcret@'));
    expect(await store.getRange('near', 5, 5)).toEqual(content.slice(5, 10));
    expect(await store.getRange('far', 5, 5)).toEqual(content.slice(5, 10));
    expect(seen).toEqual([`Basic ${Buffer.from('me@home:se/cret').toString('base64')}`, undefined]);
    for (const path of ['loop', 'file']) {
      expect(await refusal(store.get(path)), path).toMatchObject({ code: 'unsupported' });
    }
    expect(await store.head('d'), 'a folder').toBeUndefined();
  });

  it('follows no redirect from https to http, and trusts no certificate that the system does not', async () => {
    let asked = 0;
    await using plain = await fileServer(folder.path, { instead: () => ++asked < 0 });
    await using secure = await tlsServer((request, response) => {
      const to = request.url === '/down' ? `${plain.url}/x` : undefined;
      response.writeHead(to === undefined ? 200 : 302, to === undefined ? {} : { location: to }).end('secure');
    });
    const store = httpStore(secure.url);
    expect(await refusal(store.get('x'))).toMatchObject({ code: 'permission_denied' });
    using _ = trustAll();
    expect(Buffer.from(await store.get('x')).toString()).toBe('secure');
    const error = await refusal(store.get('down'));
    expect([error.code, error.message]).toEqual(['unsupported', expect.stringContaining('from https to http')]);
    expect(asked).toBe(0);
  });

  it('shows credentials nowhere, remembers them for its folder, and has other threads open it with them', async () => {
    let sent: string | undefined;
    await using server = await fileServer(folder.path, {
      instead: (request, response) => {
        sent = request.headers.authorization;
        if (request.url === '/in/forbidden') response.writeHead(403).end();
        return request.url === '/in/forbidden';
      },
    });
    const store = openStore(server.url.replace('//', '//ann:pw9@').concat('/in'));
    const error = await refusal(store.get('forbidden'));
    expect(`${store.uri} ${error.message} ${JSON.stringify(error.details)} ${error.cause}`).not.toMatch(/ann|pw9/);
    expect(reopenUri(subStore(store, 'b c'))).toBe(`${server.url.replace('//', '//ann:pw9@')}/in/b%20c`);
    await refusal(openStore(`${server.url}/in/deeper`).get('forbidden'));
    expect(sent).toBe(`Basic ${Buffer.from('ann:pw9').toString('base64')}`);
    for (const elsewhere of [server.url, `${server.url}/other`, `${server.url}/in-other`]) {
      await refusal(openStore(elsewhere).get('missing'));
      expect(sent, elsewhere).toBeUndefined();
    }
    const wrong = ['http://ann:pw/9@host/x', 'http://ann:pw9@host/x?a=b', 'https://', 'http://u:%zz@host/x'];
    for (const uri of wrong) {
      const { message, details, code } = await refusal(() => openStore(uri));
      expect([code, `${message} ${JSON.stringify(details)}`], uri).toEqual([
        'invalid_argument',
        expect.not.stringMatching(/ann|pw|9@|%zz|a=b/),
      ]);
    }
  });

  it('refuses to list and to write, saying what to do', async () => {
    const store = httpStore('http://127.0.0.1:1/x');
    const body = new Uint8Array(1);
    for (const work of [store.put('a', body), store.putIfAbsent('a', body), store.delete('a')]) {
      expect(await refusal(work)).toMatchObject({ code: 'unsupported', message: expect.stringContaining('s3://') });
    }
    const list = async (): Promise<void> => {
      for await (const _ of store.list('')) throw new Error('something listed');
    };
    expect(await refusal(list)).toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('Name each file'),
    });
    await store.close();
    expect(await refusal(list)).toMatchObject({ code: 'closed' });
  });

  it('never gives wrong bytes, whatever the server does', async () => {
    const versions = [bytesOf('even', 100_000), bytesOf('odd', 90_000)];
    const faults = ['none', 'whole', 'truncate', 'stall', 'change', 'redirect', 'busy', 'reset'] as const;
    const fault = fc.constantFrom(...faults);
    let script: (typeof faults)[number][] = [];
    let version = 0;
    const cut = async (response: ServerResponse, stall: boolean): Promise<void> => {
      const { write } = response;
      // Half of the first piece, under the headers of all of it.
      response.write = ((piece: Uint8Array) => {
        write.call(response, piece.subarray(0, piece.length >> 1), (() => stall || response.destroy()) as never);
        return false;
      }) as never;
    };
    const work = await temporaryFolder();
    const swap = async (to: number): Promise<void> => {
      version = to;
      await writeFile(join(work.path, 'next'), versions[to]!);
      await rename(join(work.path, 'next'), join(work.path, 'f'));
    };
    const server = await fileServer(work.path, {
      instead: async (request, response) => {
        const doing = script.shift() ?? 'none';
        if (doing === 'busy') return response.writeHead(503).end() !== undefined;
        if (doing === 'reset') return request.socket.destroy() !== undefined;
        if (doing === 'redirect') return response.writeHead(307, { location: '/f' }).end() !== undefined;
        if (doing === 'change') await swap(1 - version);
        if (doing === 'whole') request.headers.range = undefined;
        if (doing === 'truncate' || doing === 'stall') await cut(response, doing === 'stall');
        return false;
      },
    });
    const read = fc.record({
      op: fc.constantFrom('get', 'range', 'tail', 'head'),
      from: fc.nat(89_000),
      length: fc.integer({ min: 1, max: 12_000 }),
    });
    const property = fc.asyncProperty(
      fc.array(read, { minLength: 1, maxLength: 6 }),
      fc.array(fault, { maxLength: 8 }),
      async (reads, doings) => {
        await swap(0);
        script = doings;
        const store = httpStore(server.url, { idleMs: 60 });
        for (const { op, from, length } of reads) {
          try {
            if (op === 'get') expectOne(await store.get('f'), (bytes) => bytes);
            else if (op === 'range')
              expectOne(await store.getRange('f', from, length), (bytes) => bytes.slice(from, from + length));
            else if (op === 'tail')
              expectOne((await store.getTail('f', length)).bytes, (bytes) => bytes.slice(-length));
            else expect(versions.map((bytes) => bytes.length)).toContain((await store.head('f'))?.size);
          } catch (error) {
            const codes = ['unavailable', 'file_changed', 'corrupt_file'];
            if (!isSpiralError(error, ...codes)) throw error;
            expect(error.code !== 'corrupt_file' || from + length > 90_000, 'a range that one version has').toBe(true);
          }
        }
      },
    );
    const expectOne = (found: Uint8Array, part: (bytes: Uint8Array) => Uint8Array): void =>
      expect(versions.some((bytes) => Buffer.compare(found, part(bytes)) === 0)).toBe(true);
    await fc.assert(property, { numRuns: lawRuns(60, 2000) });
    await server[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
  });
});
