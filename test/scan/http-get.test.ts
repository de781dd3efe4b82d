import { afterAll, describe, expect, it } from 'vitest';
import { HttpGet } from '../../src/scan/http-get.js';
import { isPrivateAddress } from '../../src/scan/private-address.js';
import { tlsServer, trustAll } from '../storage/tls-server.js';
import { webServer } from './web-server.js';

const modified = 'Wed, 21 Oct 2015 07:28:00 GMT';
let fails = 0;
const elsewhere = await webServer({ '/': (_, to) => to.end('secret') }, '127.0.0.2');
afterAll(() => elsewhere[Symbol.asyncDispose]());
const auths: (string | undefined)[] = [];
const noted = await webServer({ '/auth': (request, to) => to.end(`${auths.push(request.headers.authorization)}`) });
afterAll(() => noted[Symbol.asyncDispose]());
const server = await webServer({
  '/auth': (request, to) => to.end(`${auths.push(request.headers.authorization)}`),
  '/to-near': (request, to) => {
    auths.push(request.headers.authorization);
    to.writeHead(302, { location: '/auth' }).end();
  },
  '/to-far': (request, to) => {
    auths.push(request.headers.authorization);
    to.writeHead(302, { location: `${noted.url}/auth` }).end();
  },
  '/': (_, to) => to.writeHead(200, { etag: '"e1"', 'last-modified': modified, 'x-amz-version-id': 'v7' }).end('hello'),
  '/empty': (_, to) => to.end(),
  '/flaky': (_, to) => void (++fails % 3 === 0 ? to.end('at last') : to.writeHead(503).end()),
  '/down': (_, to) => void to.writeHead(500).end(),
  '/broken': (_, to) => {
    to.writeHead(200, { 'content-length': 100 });
    to.write('half of', () => to.destroy());
  },
  '/hangs': () => {},
  '/drips': (_, to) => {
    to.writeHead(200);
    to.write('a');
  },
  '/huge': (_, to) => void to.end(Buffer.alloc(5000)),
  '/endless': (_, to) => {
    const more = (): void => {
      if (!to.destroyed) to.write(Buffer.alloc(1000), () => setImmediate(more));
    };
    more();
  },
  '/moved': (_, to) => void to.writeHead(302, { location: '/?moved' }).end(),
  '/circle': (_, to) => void to.writeHead(301, { location: '/circle' }).end(),
  '/private': (_, to) => void to.writeHead(302, { location: elsewhere.url }).end(),
  '/file': (_, to) => void to.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/nowhere': (_, to) => void to.writeHead(302, { location: 'http://[' }).end(),
});
afterAll(() => server[Symbol.asyncDispose]());

const { signal } = new AbortController();
/** All but the server's own address is out of reach. */
const http = new HttpGet({ refuses: (address) => address !== '127.0.0.1', bytesMax: 4000, timeoutMs: 300 });
const get = (path: string): ReturnType<HttpGet['get']> => http.get(server.url + path, signal);

describe('a fetch over HTTP', () => {
  it('gives the bytes and what the server tells of them', async () => {
    expect(await get('/')).toEqual({
      bytes: Buffer.from('hello'),
      location: `${server.url}/`,
      lastModified: Date.parse(modified),
      eTag: '"e1"',
      version: 'v7',
      status: 200,
    });
    expect(await get('/empty')).toMatchObject({ bytes: Buffer.alloc(0), lastModified: null, eTag: null, status: 200 });
    expect(await get('/moved')).toMatchObject({ bytes: Buffer.from('hello'), location: `${server.url}/?moved` });
  });

  it('is tried again where a failure may pass, and else not', async () => {
    expect(await get('/flaky')).toMatchObject({ bytes: Buffer.from('at last'), status: 200 });
    for (const [path, status, tries] of [
      ['/down', 500, 4],
      ['/broken', 502, 4],
      ['/none', 404, 1],
    ] as const) {
      server.asked.length = 0;
      expect(await get(path), path).toMatchObject({ bytes: null, status });
      expect(server.asked.filter((one) => one === path)).toHaveLength(tries);
    }
    expect(await http.get(`http://127.0.0.1:1/`, signal)).toMatchObject({ bytes: null, status: 502 });
  });

  it('that takes too long, or would give too much, fails', async () => {
    expect(await Promise.all(['/hangs', '/drips', '/huge', '/endless'].map(get))).toMatchObject([
      { bytes: null, status: 504 },
      { bytes: null, status: 504 },
      { bytes: null, status: 413 },
      { bytes: null, status: 413 },
    ]);
  });

  it('reaches no refused address: not by its number, not by a name, not by a redirect', async () => {
    const { port } = elsewhere;
    const strict = new HttpGet({ refuses: isPrivateAddress });
    const found = [
      await get('/private'),
      await http.get(elsewhere.url, signal),
      await strict.get(`http://127.0.0.2:${port}/`, signal),
      await strict.get(`http://2130706434:${port}/`, signal),
      await strict.get(`http://0x7f.2:${port}/`, signal),
      await strict.get(`http://[::ffff:127.0.0.2]:${port}/`, signal),
    ];
    expect(found).toEqual(found.map(({ location }) => expect.objectContaining({ bytes: null, location, status: 403 })));
    const named = await strict.get(`http://localhost:${server.port}/`, signal);
    // A connection that fails is tried again; one that is refused is not.
    expect(named).toMatchObject({ bytes: null, status: 403 });
    expect(elsewhere.asked).toEqual([]);
  });

  it('follows redirects to URLs of HTTP alone, and not for ever', async () => {
    expect(await get('/circle')).toMatchObject({ bytes: null, status: 508 });
    expect(await get('/file')).toMatchObject({ bytes: null, location: 'file:///etc/passwd', status: 400 });
    expect(await get('/nowhere')).toMatchObject({ bytes: null, status: 302 });
    for (const url of ['', 'cat.png', 'ftp://127.0.0.1/', 'http://']) {
      expect(await http.get(url, signal)).toMatchObject({ bytes: null, location: url, status: 400 });
    }
  });

  it('follows no redirect from https to http, and trusts no certificate that the system does not', async () => {
    await using secure = await tlsServer((request, to) => {
      if (request.url === '/down') to.writeHead(302, { location: `${server.url}/` }).end();
      else if (request.url === '/along') to.writeHead(302, { location: '/end' }).end();
      else to.end('secure');
    });
    expect(await http.get(`${secure.url}/end`, signal)).toMatchObject({ bytes: null, status: 502 });
    using _ = trustAll();
    expect(await http.get(`${secure.url}/along`, signal)).toMatchObject({ location: `${secure.url}/end`, status: 200 });
    server.asked.splice(0);
    expect(await http.get(`${secure.url}/down`, signal)).toMatchObject({ bytes: null, status: 302 });
    expect(server.asked).toEqual([]);
  });

  it('sends user and password to their host alone, and shows them nowhere', async () => {
    const url = server.url.replace('//', '//ann:pw9@');
    auths.splice(0);
    expect(await http.get(`${url}/to-near`, signal)).toMatchObject({ location: `${server.url}/auth`, status: 200 });
    expect(await http.get(`${url}/to-far`, signal)).toMatchObject({ status: 200 });
    const own = `Basic ${Buffer.from('ann:pw9').toString('base64')}`;
    expect(auths).toEqual([own, own, own, undefined]);
    for (const path of ['/nowhere', '/down', '/circle', '/huge', '/broken', '/private']) {
      expect(JSON.stringify(await http.get(url + path, signal)), path).not.toContain('pw9');
    }
  });

  it('ends with its signal', async () => {
    const controller = new AbortController();
    const slow = new HttpGet({ refuses: () => false });
    const work = slow.get(`${server.url}/hangs`, controller.signal);
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(work).rejects.toThrow('enough');
    await expect(slow.get(server.url, controller.signal)).rejects.toThrow('enough');
  });
});
