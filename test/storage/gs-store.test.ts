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
import { bytesOf, pathsOf, streamed } from '../../src/testing/store-law-probes.js';
import { refusal } from '../client/spiral-at.js';
import { webServer } from '../scan/web-server.js';
import { type GcsServer, type GcsServerOptions, gcsServer, useGcs } from './gcs-server.js';
import { temporaryFolder } from './temporary-folder.js';

afterEach(() => useGcs(undefined));

const one = new Uint8Array([1]);
const bare = (): ObjectStore => gsStore('gs://bucket/folder', new Retrier({ triesMax: 1 }));
/** Tries again at once. */
const patient = (): ObjectStore => {
  const retrier = new Retrier({ backoffMs: 0, savedMax: 1e6, triesMax: 20 });
  return retryStore(gsStore('gs://bucket/folder', retrier), retrier);
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
  it('takes no signature in its URI', () => {
    const signed = (): unknown => openStore('gs://b/x?sig=SECRET');
    expect(signed).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
    expect(signed).not.toThrow(/SECRET/);
  });

  it('says unavailable where an answer is no JSON', async () => {
    const instead: GcsServerOptions['instead'] = (_, to) => {
      to.end('no JSON');
      return true;
    };
    await using _ = await serving({ instead });
    expect(await refusal(bare().head('a'))).toMatchObject({ code: 'unavailable', details: { path: 'a' } });
  });

  it('keeps parts of any number whole over a line that breaks, and leaves no session of what is done', async () => {
    const random = randomStream('gcs', 1);
    let broken = 0;
    await using server = await serving({
      instead: (_, response) => {
        if (random.unit() > 0.2) return false;
        broken++;
        response.destroy();
        return true;
      },
    });
    const store = patient();
    for (const size of [uploadPartBytes, 2 * uploadPartBytes, 2 * uploadPartBytes + 12_345]) {
      const large = bytesOf('large', size);
      await store.put('large', [large.subarray(0, 3_000_000), large.subarray(3_000_000)]);
      expect(Buffer.compare(await store.get('large'), large), `${size}`).toBe(0);
    }
    expect(broken).toBeGreaterThan(5);
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
});
