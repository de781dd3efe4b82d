import type { ServerResponse } from 'node:http';
import { PutBucketVersioningCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { S3Get } from '../../src/scan/s3-get.js';
import { onS3, s3Endpoint, s3Folder, useS3 } from '../storage/s3-gateway.js';
import { webServer } from './web-server.js';

afterEach(() => useS3());
const { signal } = new AbortController();
const textBytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const everywhere = new S3Get({ folders: ['s3://'], bytesMax: 4000, timeoutMs: 20_000 });

/** What a server that is none of AWS answers with an error named `code`. */
const refusing =
  (status: number, code: string) =>
  (_: unknown, to: ServerResponse): void => {
    const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>No.</Message></Error>`;
    to.writeHead(status, { 'content-type': 'application/xml', 'content-length': text.length }).end(text);
  };
let fails = 0;
const server = await webServer({
  '/bkt/a b': (_, to) => void to.end('never'),
  '/bkt/a%20b': (_, to) => void to.writeHead(200, { etag: '"e"' }).end('spaced'),
  '/bkt/flaky': (_, to) => void (++fails % 3 === 0 ? to.end('at last') : refusing(503, 'SlowDown')(_, to)),
  '/bkt/busy': refusing(500, 'InternalError'),
  '/bkt/late': refusing(400, 'RequestTimeout'),
  '/bkt/denied': refusing(403, 'AccessDenied'),
  '/bkt/missing': refusing(404, 'NoSuchKey'),
  '/bkt/elsewhere': refusing(301, 'PermanentRedirect'),
  '/bkt/broken': (_, to) => void to.writeHead(200, { 'content-length': 100 }).write('half of', () => to.destroy()),
  '/bkt/hangs': () => {},
  '/bkt/drips': (_, to) => void to.writeHead(200).write('a'),
  '/bkt/huge': (_, to) => void to.end(Buffer.alloc(5000)),
  '/bkt/full': (_, to) => void to.end(Buffer.alloc(4000)),
  '/bkt/endless': (_, to) => {
    const more = (): void => {
      if (!to.destroyed) to.write(Buffer.alloc(1000), () => setImmediate(more));
    };
    more();
  },
});
afterAll(() => server[Symbol.asyncDispose]());

/** Has this process find the server above where S3 is; credentials are any. */
function useServer(url: string = server.url): void {
  useS3(url);
  process.env['AWS_ACCESS_KEY_ID'] ??= 'AKTEST';
  process.env['AWS_SECRET_ACCESS_KEY'] ??= 'SKTEST';
  server.asked.length = 0;
}
const status = async (uri: string, get = everywhere): Promise<number> => {
  const { bytes, status } = await get.get(uri, signal);
  expect(bytes === null, uri).toBe(status !== 200);
  return status;
};

describe('a fetch from S3', () => {
  it('is tried again where a failure may pass, and else not', async () => {
    useServer();
    expect(await everywhere.get('s3://bkt/flaky', signal)).toMatchObject({
      bytes: textBytes('at last'),
      status: 200,
    });
    for (const [name, expected, tries] of [
      ['busy', 500, 4],
      ['late', 400, 4],
      ['broken', 502, 4],
      ['denied', 403, 1],
      ['missing', 404, 1],
      ['elsewhere', 301, 1],
    ] as const) {
      server.asked.length = 0;
      expect(await status(`s3://bkt/${name}`), name).toBe(expected);
      expect(server.asked, name).toHaveLength(tries);
    }
    useServer('http://127.0.0.1:1');
    expect(await status('s3://bkt/flaky')).toBe(502);
  });

  it('that takes too long, or would give too much, fails', async () => {
    useServer();
    const hasty = new S3Get({ folders: ['s3://bkt'], bytesMax: 4000, timeoutMs: 300 });
    const names = ['hangs', 'drips', 'huge', 'endless', 'full'];
    expect(await Promise.all(names.map((name) => status(`s3://bkt/${name}`, hasty)))).toEqual([
      504, 504, 413, 413, 200,
    ]);
  });

  it('takes its key percent-encoded', async () => {
    useServer();
    const found = { bytes: textBytes('spaced'), location: 's3://bkt/a%20b', eTag: '"e"', version: null };
    expect(await everywhere.get('s3://bkt/a%20b', signal)).toMatchObject(found);
    expect(await everywhere.get('S3://bkt/a b', signal)).toMatchObject(found);
  });

  it('of what names no object asks nobody', async () => {
    useServer();
    const long = `s3://bkt/${'ü'.repeat(513)}`;
    const none = [
      '',
      'bkt/full',
      's3://',
      's3://bkt',
      's3://bkt/',
      's3:///full',
      's3://u:p@bkt/full',
      'http://bkt/full',
      long,
    ];
    const odd = [
      's3://bkt/%zz',
      's3://bkt/%00',
      's3://bkt/\ud800',
      's3://bkt/../bkt/full',
      's3://bkt/%2e%2e/full',
      's3://bkt/./full',
    ];
    for (const uri of [...none, ...odd]) {
      expect(await everywhere.get(uri, signal), uri).toMatchObject({ bytes: null, location: uri, status: 400 });
    }
    expect(server.asked).toEqual([]);
  });

  it('reaches what lies below the allowed folders alone', async () => {
    useServer();
    const below = (...folders: string[]): S3Get => new S3Get({ folders });
    for (const [uri, folders, expected] of [
      ['s3://bkt/full', ['s3://bkt'], 200],
      ['s3://bkt/full', ['s3://ccc', 's3://bkt/'], 200],
      ['s3://bkt/full', ['s3://ccc'], 403],
      ['s3://bkt/full', ['s3://bkt/full'], 403],
      ['s3://bkt/full', ['s3://bkt/fu'], 403],
      ['s3://bkt/full', [], 403],
      ['s3://bkt/a%20b', ['s3://bkt/a'], 403],
      ['s3://bkt/x%2Fmissing', ['s3://bkt/x'], 404],
      ['s3://bkt/x/missing', ['s3://bkt/x/'], 404],
      ['s3://bkt/x-not/missing', ['s3://bkt/x'], 403],
    ] as const) {
      expect(await status(uri, below(...folders)), `${uri} ${folders}`).toBe(expected);
    }
    expect(server.asked).toHaveLength(4);
  });

  it('ends with its signal', async () => {
    useServer();
    const controller = new AbortController();
    const work = everywhere.get('s3://bkt/hangs', controller.signal);
    setImmediate(() => controller.abort(new Error('enough')));
    await expect(work).rejects.toThrow('enough');
    await expect(everywhere.get('s3://bkt/full', controller.signal)).rejects.toThrow('enough');
  });
});

describe.skipIf(s3Endpoint === undefined)(`a fetch ${onS3}`, () => {
  it('gives the bytes and what the store tells of them', async () => {
    const folder = await s3Folder();
    const [, Bucket, prefix] = /^s3:\/\/([^/]+)\/(.*)$/.exec(folder)!;
    const client = new S3Client({ forcePathStyle: true });
    const put = (name: string, Body: string) =>
      client.send(
        new PutObjectCommand({ Bucket, Key: `${prefix}/${name}`, Body, ContentLength: Buffer.byteLength(Body) }),
      );
    const odd = ['a b', 'a+b', 'a%20b', 'a//b', "q'?#*:<>&", 'ü', 'folder/'];
    for (const name of [...odd, '']) await put(name, `of ${name}`);
    for (const name of odd) {
      const uri = `${folder}/${name.split('/').map(encodeURIComponent).join('/')}`;
      const found = { bytes: textBytes(`of ${name}`), location: uri, status: 200, version: null };
      expect(await everywhere.get(uri, signal), name).toMatchObject(found);
    }
    await put('empty', '');
    const empty = await everywhere.get(`${folder}/empty`, signal);
    expect(empty).toMatchObject({ bytes: textBytes(''), eTag: '"d41d8cd98f00b204e9800998ecf8427e"', status: 200 });
    expect(empty.lastModified).toBeGreaterThan(1e12);
    await put('big', 'x'.repeat(4001));
    expect(await status(`${folder}/big`)).toBe(413);
    await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }));
    const { VersionId } = await put('kept', 'first');
    expect(await everywhere.get(`${folder}/kept`, signal)).toMatchObject({ version: VersionId });
    expect(VersionId).toMatch(/./);
    client.destroy();
  });

  it('says that an object, a bucket or a right is missing', async () => {
    const folder = await s3Folder();
    expect(await status(`${folder}/none`)).toBe(404);
    expect(await status('s3://no-such-bucket-here/none')).toBe(404);
    const key = process.env['AWS_SECRET_ACCESS_KEY'];
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong';
    try {
      expect(await status(`${folder}/none`)).toBe(403);
    } finally {
      process.env['AWS_SECRET_ACCESS_KEY'] = key;
    }
  });
});
