import { execFile } from 'node:child_process';
import { cp, mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ListMultipartUploadsCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, describe, expect, it } from 'vitest';
import { uploadPartBytes } from '../../src/core/limits.js';
import { randomStream } from '../../src/core/random.js';
import { openStore } from '../../src/storage/open-store.js';
import { Retrier } from '../../src/storage/retrier.js';
import { retryStore } from '../../src/storage/retry-store.js';
import { s3Store } from '../../src/storage/s3-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { subStore } from '../../src/storage/sub-store.js';
import { bytesOf, pathsOf, streamed } from '../../src/testing/store-law-probes.js';
import { refusal } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { badLine } from './bad-line.js';
import { onS3, s3Endpoint, s3Folder, useS3 } from './s3-gateway.js';
import { temporaryFolder } from './temporary-folder.js';

afterEach(() => useS3());

/** A server that gives `answer` to every request, which is where S3 is then; credentials are any. */
async function s3Server(answer: (to: ServerResponse, method: string) => void): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => answer(response, request.method!));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  useS3(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  process.env['AWS_ACCESS_KEY_ID'] ??= 'AKTEST';
  process.env['AWS_SECRET_ACCESS_KEY'] ??= 'SKTEST';
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The answer of S3 that is an error named `code`. */
const refusing =
  (status: number, code: string, headers: Record<string, string> = {}) =>
  (to: ServerResponse): void => {
    const text = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>No.</Message></Error>`;
    to.writeHead(status, { 'content-type': 'application/xml', 'content-length': text.length, ...headers }).end(text);
  };

const bare = (): ObjectStore => s3Store('s3://bucket/folder', new Retrier({ triesMax: 1 }));

describe('an s3Store', () => {
  it('is named by its bucket and folder, percent-encoded', () => {
    expect(openStore('s3://bucket').uri).toBe('s3://bucket');
    expect(openStore('s3://bucket/').uri).toBe('s3://bucket');
    expect(openStore('s3://bucket/a b/%25/').uri).toBe('s3://bucket/a%20b/%25');
    expect(subStore(openStore('s3://bucket/a'), 'ü').uri).toBe('s3://bucket/a/%C3%BC');
    for (const uri of ['s3://', 's3:///x', 's3://KEY:SECRET@bucket/x', 's3://bucket/%zz', 's3://bucket/a//b']) {
      expect(() => openStore(uri), uri).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      expect(() => openStore(uri), uri).not.toThrow(/SECRET/);
    }
    expect(() => openStore('s3://bucket/../x')).toThrow(expect.objectContaining({ code: 'path_outside_root' }));
  });

  it.each([
    [404, 'NoSuchKey', 'not_found'],
    [404, 'NoSuchBucket', 'not_found'],
    [403, 'AccessDenied', 'permission_denied'],
    [403, 'SignatureDoesNotMatch', 'permission_denied'],
    [400, 'ExpiredToken', 'permission_denied'],
    [400, 'RequestTimeout', 'unavailable'],
    [409, 'OperationAborted', 'unavailable'],
    [500, 'InternalError', 'unavailable'],
    [503, 'SlowDown', 'unavailable'],
    [507, 'XMinioStorageFull', 'storage_full'],
    [403, 'QuotaExceeded', 'storage_full'],
    [501, 'NotImplemented', 'unsupported'],
    [400, 'AuthorizationHeaderMalformed', 'invalid_argument'],
    [418, 'Teapot', 'invalid_argument'],
  ])('takes status %i %s for %s', async (status, name, code) => {
    await using _ = await s3Server(refusing(status, name, { 'retry-after': '3' }));
    const [read, write] = await Promise.all([refusal(bare().get('a')), refusal(bare().put('a', new Uint8Array(3)))]);
    for (const error of [read, write]) expect(error).toMatchObject({ code, message: expect.stringContaining('"a"') });
    if (code === 'unavailable') expect(read.details['retryAfterMs']).toBe(3000);
  });

  it('says unavailable where nobody answers or the answer breaks off', async () => {
    await using _ = await s3Server(
      (to) => void to.writeHead(200, { 'content-length': 9 }).write('half', () => to.destroy()),
    );
    expect(await refusal(bare().get('a'))).toMatchObject({ code: 'unavailable' });
    useS3('http://127.0.0.1:1');
    expect(await refusal(bare().get('a'))).toMatchObject({ code: 'unavailable', details: { path: 'a' } });
  });

  it('refuses a server that ignores conditions, and tells 409 from 412', async () => {
    {
      await using _ = await s3Server((to) => void to.writeHead(200, { etag: '"e"', 'content-length': 0 }).end());
      const error = await refusal(bare().putIfAbsent('a', new Uint8Array(3)));
      expect(error).toMatchObject({ code: 'unsupported', message: expect.stringContaining('If-None-Match') });
    }
    let busy = 2;
    await using _ = await s3Server((to, method) => {
      if (method === 'HEAD') to.writeHead(404).end();
      else if (busy-- > 0) refusing(409, 'ConditionalRequestConflict')(to);
      else refusing(412, 'PreconditionFailed')(to);
    });
    expect(await refusal(bare().putIfAbsent('a', new Uint8Array(3)))).toMatchObject({ code: 'unavailable' });
    expect(await retryStore(bare(), { backoffMs: 0 }).putIfAbsent('a', new Uint8Array(3))).toBe(false);
    expect(busy).toBeLessThan(0);
  });

  it('says which package it needs where that is not installed', async () => {
    await using folder = await temporaryFolder();
    const root = fileURLToPath(new URL('../..', import.meta.url));
    for (const part of ['core', 'storage'])
      await cp(join(root, 'build', part), join(folder.path, 'build', part), { recursive: true });
    await mkdir(join(folder.path, 'node_modules'));
    await symlink(join(root, 'node_modules/seedrandom'), join(folder.path, 'node_modules/seedrandom'));
    await writeFile(join(folder.path, 'package.json'), '{ "type": "module" }');
    await writeFile(
      join(folder.path, 'main.js'),
      `import { openStore } from './build/storage/open-store.js';
       await openStore('s3://bucket').get('a').catch(({ code, message }) => console.log(code, message));`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, ['main.js'], { cwd: folder.path });
    expect(stdout).toMatch(/^missing_peer .*npm install @aws-sdk\/client-s3/);
  });
});

describe.skipIf(s3Endpoint === undefined)(`an s3Store ${onS3}`, () => {
  it('uploads what is large in parts, and leaves nothing of what fails, not even hidden parts', async () => {
    const uri = await s3Folder();
    const store = openStore(uri);
    const large = bytesOf('large', 2 * uploadPartBytes + 12_345);
    const pieces = Array.from({ length: 15 }, (_, at) => large.subarray(at * 600_000, (at + 1) * 600_000));
    await Promise.all([
      store.put('whole', large),
      store.put('pieces', pieces),
      store.put('stream', streamed(...pieces)),
    ]);
    for (const path of ['whole', 'pieces', 'stream']) {
      expect(
        Buffer.compare(await store.get(path), large.subarray(0, path === 'whole' ? undefined : 9_000_000)),
        path,
      ).toBe(0);
    }
    expect(await store.getRange('whole', uploadPartBytes - 5, 10)).toEqual(
      large.slice(uploadPartBytes - 5, uploadPartBytes + 5),
    );
    const failure = new Error('the producer failed');
    await expect(store.put('whole', streamed(...pieces, failure))).rejects.toBe(failure);
    await expect(store.put('new', streamed(...pieces, failure))).rejects.toBe(failure);
    const abort = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let turn = 0; ; turn++) {
        if (turn === 16) abort.abort();
        yield pieces[0]!;
      }
    }
    expect(await refusal(store.put('new', endless(), { signal: abort.signal }))).toMatchObject({ code: 'cancelled' });
    expect(await pathsOf(store)).toEqual(['pieces', 'stream', 'whole']);
    expect(Buffer.compare(await store.get('whole'), large)).toBe(0);
    const [, Bucket] = /^s3:\/\/([^/]+)\//.exec(uri)!;
    const client = new S3Client({ forcePathStyle: true });
    expect((await client.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? []).toEqual([]);
  });

  it('lists page after page, names of any signs, without what other tools leave for folders', async () => {
    const uri = await s3Folder();
    const store = openStore(uri);
    const odd = ['a b', 'a+b', 'a%20b', 'nl\nx', 'tab\t', "q'?#*:<>&", 'ü', '\u0001'];
    for (const path of odd) await store.put(path, bytesOf(path, 5));
    const [, Bucket, folder] = /^s3:\/\/([^/]+)\/(.*)$/.exec(uri)!;
    const client = new S3Client({ forcePathStyle: true });
    for (const Key of [`${folder}/`, `${folder}/n/`, `${folder}/n//x`]) {
      await client.send(new PutObjectCommand({ Bucket, Key, Body: '', ContentLength: 0 }));
    }
    expect(await pathsOf(store)).toEqual(odd.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    for (const path of odd) expect(await store.get(path)).toEqual(bytesOf(path, 5));
    const many = Array.from({ length: 1100 }, (_, at) => `n/${String(at).padStart(5, '0')}`);
    await Promise.all(many.map((path) => store.put(path, new Uint8Array(1))));
    expect(await pathsOf(store, 'n/')).toEqual(many);
  });

  it('reads one version, and says so where an object was replaced between two ranges', async () => {
    const uri = await s3Folder();
    const [reader, writer] = [openStore(uri), openStore(uri)];
    await writer.put('a', bytesOf('first', 1000));
    await reader.getTail('a', 10);
    await writer.put('a', bytesOf('second', 1000));
    expect(await refusal(reader.getRange('a', 0, 100))).toMatchObject({ code: 'file_changed' });
    expect((await reader.getTail('a', 10)).bytes).toEqual(bytesOf('second', 1000).slice(-10));
    expect(await reader.getRange('a', 0, 100)).toEqual(bytesOf('second', 1000).slice(0, 100));
  });

  it('says that a bucket or a key is wrong', async () => {
    await s3Folder();
    expect(await refusal(openStore('s3://no-such-bucket-here').put('a', new Uint8Array(1)))).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('bucket'),
    });
    const key = process.env['AWS_SECRET_ACCESS_KEY'];
    process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong';
    try {
      expect(await refusal(openStore('s3://bucket').get('a'))).toMatchObject({ code: 'permission_denied' });
    } finally {
      process.env['AWS_SECRET_ACCESS_KEY'] = key;
    }
  });

  it('over a line that breaks, has one winner of 20, and every put whole or not there', async () => {
    const uri = await s3Folder();
    await using line = await badLine(s3Endpoint!, randomStream('bad-line', 1), 0.05);
    useS3(line.url);
    const retrier = new Retrier({ triesMax: 100, backoffMs: 5, savedMax: 1e6 });
    const store = retryStore(s3Store(uri, retrier), retrier);
    for (let turn = 0; turn < lawRuns(5, 100); turn++) {
      const bodies = Array.from({ length: 20 }, (_, racer) => bytesOf(`racer-${turn}-${racer % 2}`, 1000));
      const won = await Promise.all(bodies.map((body) => store.putIfAbsent(`log/${turn}`, body)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await store.get(`log/${turn}`)).toEqual(bodies[won.indexOf(true)]);
    }
    const large = bytesOf('large', uploadPartBytes + 1000);
    await store.put('large', streamed(large.subarray(0, 3_000_000), large.subarray(3_000_000)));
    expect(Buffer.compare(await store.get('large'), large)).toBe(0);
    expect(line.broken()).toBeGreaterThan(5);
  });
});
