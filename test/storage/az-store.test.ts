import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { BlobServiceClient } from '@azure/storage-blob';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { uploadPartBytes } from '../../src/core/limits.js';
import { randomStream } from '../../src/core/random.js';
import { azStore } from '../../src/storage/az-store.js';
import { openStore } from '../../src/storage/open-store.js';
import { Retrier } from '../../src/storage/retrier.js';
import { retryStore } from '../../src/storage/retry-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { subStore } from '../../src/storage/sub-store.js';
import { bytesOf, pathsOf, streamed } from '../../src/testing/store-law-probes.js';
import { refusal } from '../client/spiral-at.js';
import { webServer } from '../scan/web-server.js';
import { type Azurite, azurite, azuriteFolder, forgetAzure, onAzurite, useAzure } from './azurite.js';
import { badLine } from './bad-line.js';
import { withoutPeer } from './without-peer.js';

const one = new Uint8Array([1]);
const bare = (uri = 'az://container/folder'): ObjectStore => azStore(uri, new Retrier({ triesMax: 1 }));

/** A server that gives `answer` to every request, which is where Azure is then. */
async function azureServer(answer: (to: ServerResponse, method: string) => void): Promise<AsyncDisposable> {
  const server = createServer((request, response) => {
    request.resume();
    request.on('end', () => answer(response, request.method!));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  useAzure((server.address() as AddressInfo).port);
  return {
    [Symbol.asyncDispose]: async () => {
      forgetAzure();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The answer of Azure that is an error named `code`. */
const refusing =
  (status: number, code: string, headers: Record<string, string> = {}) =>
  (to: ServerResponse, method = ''): void => {
    const text = `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>No.</Message></Error>`;
    const body = method === 'HEAD' ? '' : text;
    const length = { 'content-length': body.length };
    to.writeHead(status, { 'content-type': 'application/xml', 'x-ms-error-code': code, ...length, ...headers }).end(
      body,
    );
  };

describe('an azStore', () => {
  afterEach(forgetAzure);

  it('is named by its container and folder, percent-encoded', () => {
    expect(openStore('az://container').uri).toBe('az://container');
    expect(openStore('az://container/a b/%25/').uri).toBe('az://container/a%20b/%25');
    expect(subStore(openStore('az://$web/a'), 'ü').uri).toBe('az://$web/a/%C3%BC');
    for (const uri of ['az://', 'az:///x', 'az://NAME:SECRET@c/x', 'az://c/%zz', 'az://c/x?sv=1&sig=SECRET']) {
      expect(() => openStore(uri), uri).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      expect(() => openStore(uri), uri).not.toThrow(/SECRET/);
    }
    expect(() => openStore('az://container/../x')).toThrow(expect.objectContaining({ code: 'path_outside_root' }));
  });

  it('says what it needs to be known of the account', async () => {
    expect((await refusal(bare().get('a'))).code).toBe('permission_denied');
    process.env['AZURE_STORAGE_CONNECTION_STRING'] = 'AccountName=x;AccountKey=SECRET';
    const error = await refusal(bare().get('a'));
    expect(error.code).toBe('invalid_argument');
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('SECRET');
    forgetAzure();
    process.env['AZURE_STORAGE_ACCOUNT'] = 'some.where/else?';
    expect((await refusal(bare().get('a'))).code).toBe('permission_denied');
  });

  it.each([
    [404, 'BlobNotFound', 'not_found'],
    [404, 'ContainerNotFound', 'not_found'],
    [403, 'AuthenticationFailed', 'permission_denied'],
    [403, 'AuthorizationPermissionMismatch', 'permission_denied'],
    [401, 'NoAuthenticationInformation', 'permission_denied'],
    [412, 'LeaseIdMissing', 'permission_denied'],
    [409, 'BlobImmutableDueToPolicy', 'permission_denied'],
    [409, 'BlobArchived', 'unsupported'],
    [409, 'ContainerBeingDeleted', 'unavailable'],
    [500, 'OperationTimedOut', 'unavailable'],
    [503, 'ServerBusy', 'unavailable'],
    [507, 'Full', 'storage_full'],
    [501, 'NotImplemented', 'unsupported'],
    [400, 'InvalidUri', 'invalid_argument'],
    [418, 'Teapot', 'invalid_argument'],
  ])('takes status %i %s for %s', async (status, name, code) => {
    await using _ = await azureServer(refusing(status, name, { 'retry-after': '3' }));
    const errors = await Promise.all(
      [bare().get('a'), bare().put('a', one), bare().getRange('a', 1, 1), bare().putIfAbsent('a', one)].map(refusal),
    );
    for (const error of errors) expect(error).toMatchObject({ code, message: expect.stringContaining('"a"') });
    if (code === 'unavailable') expect(errors[0]!.details['retryAfterMs']).toBe(3000);
    if (name === 'BlobNotFound') expect(await bare().head('a')).toBeUndefined();
    else expect((await refusal(bare().head('a'))).code).toBe(code);
  });

  it('says unavailable where nobody answers or the answer breaks off', async () => {
    {
      await using _ = await azureServer(
        (to) => void to.writeHead(200, { 'content-length': 9, etag: '"e"' }).write('half', () => to.destroy()),
      );
      expect(await refusal(bare().get('a'))).toMatchObject({ code: 'unavailable', details: { path: 'a' } });
    }
    useAzure(1);
    expect(await refusal(bare().get('a'))).toMatchObject({ code: 'unavailable', details: { path: 'a' } });
  });

  it('refuses a server that ignores conditions, and tells a conflict from an object that is there', async () => {
    {
      await using _ = await azureServer((to) => void to.writeHead(201, { etag: '"e"', 'content-length': 0 }).end());
      expect(await refusal(bare().putIfAbsent('a', one))).toMatchObject({ code: 'unsupported' });
    }
    let busy = 2;
    await using _ = await azureServer((to, method) => {
      if (method === 'HEAD') refusing(404, 'BlobNotFound')(to, method);
      else if (busy-- > 0) refusing(409, 'ContainerBeingDeleted')(to);
      else refusing(409, 'BlobAlreadyExists')(to);
    });
    expect(await refusal(bare().putIfAbsent('a', one))).toMatchObject({ code: 'unavailable' });
    expect(await retryStore(bare(), { backoffMs: 0 }).putIfAbsent('a', one)).toBe(false);
    expect(busy).toBeLessThan(0);
  });

  it('shows neither keys nor signatures, and sends them to no other server', async () => {
    const seen: (string | undefined)[] = [];
    await using elsewhere = await webServer({
      '/x': (request, to) => {
        seen.push(request.headers.authorization);
        to.end('theirs');
      },
    });
    const sas = 'sv=2024-01-01&sig=SIGNATURE';
    for (const answer of [
      refusing(403, 'AuthenticationFailed'),
      (to: ServerResponse) => void to.writeHead(307, { location: `${elsewhere.url}/x`, 'content-length': 0 }).end(),
    ]) {
      await using _ = await azureServer(answer);
      const endpoint = /BlobEndpoint=[^;]*/.exec(process.env['AZURE_STORAGE_CONNECTION_STRING']!)![0];
      for (const connection of [
        `${endpoint};AccountName=testaccount;AccountKey=${Buffer.from('SECRETKEY').toString('base64')};`,
        `${endpoint};SharedAccessSignature=${sas};`,
      ]) {
        process.env['AZURE_STORAGE_CONNECTION_STRING'] = connection;
        for (const work of [() => bare().get('a'), () => bare().put('a', one), () => pathsOf(bare())]) {
          const error = await refusal(work()).catch((found: Error) => found);
          const all = inspect(error, { depth: 20, showHidden: true });
          expect(all).not.toMatch(/SIGNATURE|SharedKey|SECRETKEY|U0VDUkVUS0VZ/);
        }
      }
    }
    expect(seen.every((authorization) => authorization === undefined)).toBe(true);
  });

  it('says which package it needs where that is not installed', async () => {
    const environment = { AZURE_STORAGE_ACCOUNT: 'account' };
    expect(await withoutPeer('az://container', environment)).toMatch(
      /^missing_peer .*npm install @azure\/storage-blob/,
    );
    // Without a key or a signature, an identity is asked for one.
    expect(await withoutPeer('az://container', environment, ['@azure/storage-blob'])).toMatch(
      /^missing_peer .*npm install @azure\/identity/,
    );
  });
});

describe.skipIf(azuriteFolder === undefined)(`an azStore ${onAzurite}`, () => {
  let server: Azurite;
  beforeAll(async () => {
    server = await azurite();
  });
  afterAll(() => server[Symbol.asyncDispose]());
  afterEach(() => useAzure(server.port, server.account, server.key));

  it('uploads what is large in blocks, and leaves nothing to be seen of what fails', async () => {
    const store = openStore(await server.folder());
    const large = bytesOf('large', 2 * uploadPartBytes + 12_345);
    const pieces = Array.from({ length: 15 }, (_, at) => large.subarray(at * 600_000, (at + 1) * 600_000));
    await store.put('whole', large);
    await store.put('stream', streamed(...pieces));
    expect(Buffer.compare(await store.get('whole'), large)).toBe(0);
    expect(Buffer.compare(await store.get('stream'), large.subarray(0, 9_000_000))).toBe(0);
    expect(await store.getRange('whole', uploadPartBytes - 5, 10)).toEqual(
      large.slice(uploadPartBytes - 5, uploadPartBytes + 5),
    );
    const failure = new Error('the producer failed');
    await expect(store.put('whole', streamed(...pieces, failure))).rejects.toBe(failure);
    await expect(store.put('new', streamed(...pieces, failure))).rejects.toBe(failure);
    expect(await pathsOf(store)).toEqual(['stream', 'whole']);
    expect(Buffer.compare(await store.get('whole'), large)).toBe(0);
  });

  it('reads one version, and says so where an object was replaced between two ranges', async () => {
    const uri = await server.folder();
    const [reader, writer] = [openStore(uri), openStore(uri)];
    await writer.put('a', bytesOf('first', 1000));
    await reader.getTail('a', 10);
    await writer.put('a', bytesOf('second', 1000));
    expect(await refusal(reader.getRange('a', 0, 100))).toMatchObject({ code: 'file_changed' });
    expect((await reader.getTail('a', 10)).bytes).toEqual(bytesOf('second', 1000).slice(-10));
    expect(await reader.getRange('a', 0, 100)).toEqual(bytesOf('second', 1000).slice(0, 100));
  });

  it('passes over folders, as accounts with a hierarchy list them', async () => {
    const uri = await server.folder();
    const [, container, folder] = /^az:\/\/([^/]+)\/(.*)$/.exec(uri)!;
    const account = BlobServiceClient.fromConnectionString(process.env['AZURE_STORAGE_CONNECTION_STRING']!);
    const marker = account.getContainerClient(container!).getBlockBlobClient(`${folder}/deep`);
    await marker.upload('', 0, { metadata: { hdi_isfolder: 'true' } });
    const store = openStore(uri);
    await store.put('deep/x', one);
    expect(await pathsOf(store)).toEqual(['deep/x']);
    expect(await store.head('deep')).toBeUndefined();
  });

  it('says that a container or a key is wrong', async () => {
    expect(await refusal(openStore('az://no-such-container').put('a', one))).toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('container'),
    });
    useAzure(server.port, server.account, Buffer.from('wrong').toString('base64'));
    expect(await refusal(bare().get('a'))).toMatchObject({ code: 'permission_denied' });
  });

  it('over a line that breaks, has one winner of 20, and every put whole or not there', async () => {
    const uri = await server.folder();
    await using line = await badLine(`http://127.0.0.1:${server.port}`, randomStream('bad-line', 1), 0.05);
    useAzure(Number(new URL(line.url).port), server.account, server.key);
    const retrier = new Retrier({ triesMax: 100, backoffMs: 5, savedMax: 1e6 });
    const store = retryStore(azStore(uri, retrier), retrier);
    for (let turn = 0; turn < 5; turn++) {
      const bodies = Array.from({ length: 20 }, (_, racer) => bytesOf(`racer-${turn}-${racer % 2}`, 1000));
      const won = await Promise.all(bodies.map((body) => store.putIfAbsent(`log/${turn}`, body)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await store.get(`log/${turn}`)).toEqual(bodies[won.indexOf(true)]);
    }
    const large = bytesOf('large', uploadPartBytes + 1000);
    await store.put('large', [large.subarray(0, 3_000_000), large.subarray(3_000_000)]);
    expect(Buffer.compare(await store.get('large'), large)).toBe(0);
    expect(line.broken()).toBeGreaterThan(5);
  });
});
