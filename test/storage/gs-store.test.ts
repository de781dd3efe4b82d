import { writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { uploadPartBytes } from '../../src/core/limits.js';
import { randomStream } from '../../src/core/random.js';
import { gsService } from '../../src/storage/gs-sdk.js';
import { gsStore } from '../../src/storage/gs-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { Retrier } from '../../src/storage/retrier.js';
import { retryStore } from '../../src/storage/retry-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { subStore } from '../../src/storage/sub-store.js';
import { bytesOf, pathsOf, streamed } from '../../src/testing/store-law-probes.js';
import { refusal } from '../client/spiral-at.js';
import { webServer } from '../scan/web-server.js';
import { type GcsServer, type GcsServerOptions, gcsServer, useGcs } from './gcs-server.js';
import { temporaryFolder } from './temporary-folder.js';
import { withoutPeer } from './without-peer.js';

afterEach(() => useGcs(undefined));

const one = new Uint8Array([1]);
const bare = (): ObjectStore => gsStore('gs://bucket/folder', new Retrier({ triesMax: 1 }));
/** Tries again at once. */
const patient = (uri = 'gs://bucket/folder'): ObjectStore => {
  const retrier = new Retrier({ backoffMs: 0, savedMax: 1e6, triesMax: 20 });
  return retryStore(gsStore(uri, retrier), retrier);
};

async function serving(options: GcsServerOptions = {}): Promise<GcsServer> {
  const server = await gcsServer(options);
  useGcs(server.url);
  return server;
}

/** Answers everything with an error of Google's. */
const refusing =
  (status: number, reason: string, message = 'No.', headers: Record<string, string> = {}) =>
  (_: IncomingMessage, response: ServerResponse): boolean => {
    const text = JSON.stringify({ error: { code: status, message, errors: [{ reason, message }] } }, null, 1);
    response.writeHead(status, { 'content-length': Buffer.byteLength(text), ...headers }).end(text);
    return true;
  };

describe('a gsStore', () => {
  it('is named by its bucket and folder, percent-encoded', () => {
    expect(openStore('gs://bucket').uri).toBe('gs://bucket');
    expect(openStore('gs://bucket/a b/%25/').uri).toBe('gs://bucket/a%20b/%25');
    expect(subStore(openStore('gs://bucket/a'), 'ü').uri).toBe('gs://bucket/a/%C3%BC');
    for (const uri of ['gs://', 'gs:///x', 'gs://KEY:SECRET@bucket/x', 'gs://bucket/%zz', 'gs://b/x?sig=SECRET']) {
      expect(() => openStore(uri), uri).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      expect(() => openStore(uri), uri).not.toThrow(/SECRET/);
    }
    expect(() => openStore('gs://bucket/../x')).toThrow(expect.objectContaining({ code: 'path_outside_root' }));
  });

  it.each([
    [404, 'notFound', 'No such object.', 'not_found'],
    [404, 'notFound', 'The specified bucket does not exist.', 'not_found'],
    [401, 'authError', 'No.', 'permission_denied'],
    [403, 'forbidden', 'No.', 'permission_denied'],
    [403, 'retentionPolicyNotMet', 'No.', 'permission_denied'],
    [403, 'quotaExceeded', 'No.', 'storage_full'],
    [403, 'userRateLimitExceeded', 'No.', 'unavailable'],
    [409, 'conflict', 'No.', 'unavailable'],
    [429, 'rateLimitExceeded', 'No.', 'unavailable'],
    [500, 'backendError', 'No.', 'unavailable'],
    [503, 'backendError', 'No.', 'unavailable'],
    [501, 'notImplemented', 'No.', 'unsupported'],
    [400, 'badRequest', 'No.', 'invalid_argument'],
    [418, '', '', 'invalid_argument'],
  ])('takes status %i %s (%s) for %s', async (status, reason, message, code) => {
    await using _ = await serving({ instead: refusing(status, reason, message, { 'retry-after': '3' }) });
    const errors = await Promise.all([bare().get('a'), bare().put('a', one), bare().getTail('a', 9)].map(refusal));
    for (const error of errors) expect(error).toMatchObject({ code, message: expect.stringContaining('"a"') });
    if (code === 'unavailable') expect(errors[0]!.details['retryAfterMs']).toBe(3000);
    if (message.includes('bucket')) expect((await refusal(bare().head('a'))).message).toContain('bucket');
  });

  it('says unavailable where nobody answers, or the answer breaks off or is none', async () => {
    const broken: GcsServerOptions['instead'][] = [
      (_, to) => to.writeHead(200, { 'content-length': 9 }).write('half', () => to.destroy()),
      (_, to) => {
        to.destroy();
        return true;
      },
      (_, to) => {
        to.end('no JSON');
        return true;
      },
    ];
    for (const instead of broken) {
      await using _ = await serving({ instead: instead! });
      expect(await refusal(bare().head('a'))).toMatchObject({ code: 'unavailable', details: { path: 'a' } });
    }
    useGcs('http://127.0.0.1:1');
    expect(await refusal(bare().get('a'))).toMatchObject({ code: 'unavailable', details: { path: 'a' } });
  });

  it('refuses a server that ignores conditions, and tells a conflict from an object that is there', async () => {
    await using careless = await serving({ heedsConditions: false });
    expect(await refusal(bare().putIfAbsent('a', one))).toMatchObject({ code: 'unsupported' });
    expect(careless.asked.length).toBe(2);
    let busy = 2;
    await using _ = await serving({
      instead: (request, to, done) =>
        !done && request.method === 'POST' && busy-- > 0 && refusing(409, 'conflict')(request, to),
    });
    expect(await refusal(bare().putIfAbsent('a', one))).toMatchObject({ code: 'unavailable' });
    expect(await patient().putIfAbsent('a', one)).toBe(true);
    expect(await patient().putIfAbsent('a', one)).toBe(false);
  });

  it('has one winner of 20, knows its own object again, and keeps every put whole, over a line that breaks', async () => {
    const random = randomStream('gcs', 1);
    let broken = 0;
    await using server = await serving({
      instead: (_, response) => {
        if (random.unit() > 0.06) return false;
        broken++;
        response.destroy();
        return true;
      },
    });
    for (let turn = 0; turn < 5; turn++) {
      const bodies = Array.from({ length: 20 }, (_, racer) => bytesOf(`racer-${turn}-${racer % 2}`, 1000));
      const store = patient();
      const won = await Promise.all(bodies.map((body) => store.putIfAbsent(`log/${turn}`, body)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await store.get(`log/${turn}`)).toEqual(bodies[won.indexOf(true)]);
    }
    const store = patient();
    for (const size of [uploadPartBytes, 2 * uploadPartBytes, 2 * uploadPartBytes + 12_345]) {
      const large = bytesOf('large', size);
      await store.put('large', [large.subarray(0, 3_000_000), large.subarray(3_000_000)]);
      expect(Buffer.compare(await store.get('large'), large), `${size}`).toBe(0);
    }
    expect(broken).toBeGreaterThan(5);
    expect(await pathsOf(store, 'log/')).toHaveLength(5);
    // What is done and whose answer is lost leaves no session; one that was lost when it began may stay.
    expect(server.sessions.size).toBeLessThan(broken);
  });

  it('goes on where the service has a part of what was sent', async () => {
    let cut = 0;
    const server = await gcsServer({
      instead: (request, to, done) => {
        const [, from = '0', last = '0'] = /^bytes (\d+)-(\d+)/.exec(request.headers['content-range'] ?? '') ?? [];
        if (done || Number(last) - Number(from) < 2 ** 20 || cut++ % 2 === 1) return false;
        // It keeps 256 KiB of the part, and says so.
        const [session] = server.sessions.values();
        session!.bytes = Buffer.concat([session!.bytes, large.subarray(Number(from), Number(from) + 2 ** 18)]);
        to.writeHead(308, { range: `bytes=0-${session!.bytes.length - 1}`, 'content-length': 0 }).end();
        return true;
      },
    });
    await using _ = server;
    useGcs(server.url);
    const large = bytesOf('large', 2 * uploadPartBytes + 5_000_000);
    await bare().put('large', large);
    expect(Buffer.compare(await bare().get('large'), large)).toBe(0);
    expect(cut).toBeGreaterThan(4);
  });

  it('leaves nothing of an upload that fails, not even its session', async () => {
    await using server = await serving();
    const store = bare();
    const piece = new Uint8Array(600_000);
    const failure = new Error('the producer failed');
    const pieces = Array.from({ length: 30 }, () => piece);
    await expect(store.put('new', streamed(...pieces, failure))).rejects.toBe(failure);
    const abort = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let turn = 0; ; turn++) {
        if (turn === 31) abort.abort();
        yield piece;
      }
    }
    expect(await refusal(store.put('new', endless(), { signal: abort.signal }))).toMatchObject({ code: 'cancelled' });
    expect(await pathsOf(store)).toEqual([]);
    expect([server.sessions.size, server.objects.size]).toEqual([0, 0]);
  });

  it('reads one version, and says so where an object was replaced between two ranges', async () => {
    await using _ = await serving();
    const [reader, writer] = [bare(), bare()];
    await writer.put('a', bytesOf('first', 1000));
    await reader.getTail('a', 10);
    await writer.put('a', bytesOf('second', 1000));
    expect(await refusal(reader.getRange('a', 0, 100))).toMatchObject({ code: 'file_changed' });
    expect((await reader.getTail('a', 10)).bytes).toEqual(bytesOf('second', 1000).slice(-10));
    expect(await reader.getRange('a', 0, 100)).toEqual(bytesOf('second', 1000).slice(0, 100));
  });

  it('reads what is stored compressed as it is stored, by parts too', async () => {
    await using server = await serving();
    await bare().put('a.gz', bytesOf('zip', 1000));
    const [[key, stored]] = [...server.objects] as [
      [string, typeof server.objects extends Map<string, infer V> ? V : never],
    ];
    server.objects.set(key, { ...stored, encoding: 'gzip' });
    expect(await bare().get('a.gz')).toEqual(bytesOf('zip', 1000));
    expect(await bare().getRange('a.gz', 100, 50)).toEqual(bytesOf('zip', 1000).slice(100, 150));
    expect(server.asked.at(-1)!.headers['accept-encoding']).toBe('gzip');
  });

  it('passes over what other tools leave for folders', async () => {
    await using server = await serving({ pageSize: 2 });
    const store = bare();
    for (const path of ['a b', 'a+b', 'a%20b', 'nl\nx', "q'?#*:<>&", 'ü', '😀', '\uffee']) await store.put(path, one);
    for (const key of ['folder/', 'folder/n/', 'folder/n//x']) {
      server.objects.set(key, [...server.objects.values()][0]!);
    }
    const paths = await pathsOf(store);
    expect(paths).toEqual(paths.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    expect(paths).toHaveLength(8);
  });

  it('follows no session of an upload to another server, and no redirect of a write', async () => {
    await using elsewhere = await webServer({ '/x': (_, to) => void to.end() });
    await using _ = await serving({
      instead: (request, to, done) => {
        if (done || request.method !== 'POST') return false;
        const isSession = request.url!.includes('resumable');
        to.writeHead(isSession ? 200 : 307, { location: `${elsewhere.url}/x`, 'content-length': 0 }).end();
        return true;
      },
    });
    const large = new Uint8Array(uploadPartBytes + 1);
    for (const body of [large, one]) expect((await refusal(bare().put('a', body))).code).toBe('unsupported');
    expect(elsewhere.asked).toEqual([]);
  });

  it('shows neither sessions nor queries in what it fails with', async () => {
    await using server = await serving({
      instead: (request, to, done) => !done && request.method === 'PUT' && refusing(403, 'forbidden')(request, to),
    });
    const error = await refusal(bare().put('a', new Uint8Array(3 * uploadPartBytes)));
    expect(error.code).toBe('permission_denied');
    const all = inspect(error, { depth: 20, showHidden: true });
    expect(all).not.toMatch(/upload_id/);
    expect(server.asked.some(({ url }) => url.includes('upload_id'))).toBe(true);
  });

  it('has its tokens from the library of Google, as the environment says, for its endpoint alone', async () => {
    await using folder = await temporaryFolder();
    let asked = 0;
    await using tokens = await webServer({
      '/token': (_, to) => {
        const token = {
          access_token: `TOKEN${++asked}`,
          issued_token_type: 'x',
          token_type: 'Bearer',
          expires_in: 3600,
        };
        to.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(token));
      },
    });
    const file = join(folder.path, 'credentials.json');
    await writeFile(join(folder.path, 'subject'), 'subject');
    const credentials = {
      type: 'external_account',
      audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/provider',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_url: `${tokens.url}/token`,
      credential_source: { file: join(folder.path, 'subject') },
    };
    await writeFile(file, JSON.stringify(credentials));
    process.env['GOOGLE_APPLICATION_CREDENTIALS'] = file;
    process.env['GOOGLE_CLOUD_PROJECT'] = 'project';
    try {
      const service = await gsService();
      expect(service.endpoint).toBe('https://storage.googleapis.com');
      for (let turn = 0; turn < 2; turn++) expect((await service.headers())['authorization']).toBe('Bearer TOKEN1');
      useGcs('http://127.0.0.1:1');
      expect(await (await gsService()).headers()).toEqual({});
    } finally {
      delete process.env['GOOGLE_APPLICATION_CREDENTIALS'];
      delete process.env['GOOGLE_CLOUD_PROJECT'];
    }
  });

  it('says which package it needs where that is not installed', async () => {
    expect(await withoutPeer('gs://bucket')).toMatch(/^missing_peer .*npm install @google-cloud\/storage/);
  });
});
