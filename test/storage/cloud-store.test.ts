import type { ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { uploadPartBytes } from '../../src/core/limits.js';
import { randomStream } from '../../src/core/random.js';
import { openStore } from '../../src/storage/open-store.js';
import { Retrier } from '../../src/storage/retrier.js';
import { retryStore } from '../../src/storage/retry-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { subStore } from '../../src/storage/sub-store.js';
import { bytesOf, pathsOf, streamed } from '../../src/testing/store-law-probes.js';
import { refusal } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { webServer } from '../scan/web-server.js';
import { azCase } from './az-case.js';
import { badLine } from './bad-line.js';
import { answering, type CloudCase, type CloudPlace } from './cloud-case.js';
import { gsCase } from './gs-case.js';
import { keptEnvironment } from './kept-environment.js';
import { s3Case } from './s3-case.js';
import { withoutPeer } from './without-peer.js';

const one = new Uint8Array([1]);
const large = bytesOf('large', 2 * uploadPartBytes + 12_345);
const pieces = Array.from({ length: 15 }, (_, at) => large.subarray(at * 600_000, (at + 1) * 600_000));

let environment: Disposable;
beforeEach(() => {
  environment = keptEnvironment();
});
afterEach(() => environment[Symbol.dispose]());

describe.each([s3Case, gsCase, azCase])('a store at $scheme://', (cloud) => {
  const { scheme } = cloud;
  const bare = (uri = `${scheme}://bucket/folder`): ObjectStore => cloud.store(uri, new Retrier({ triesMax: 1 }));

  it('is named by its bucket and folder, percent-encoded', () => {
    expect(openStore(`${scheme}://bucket`).uri).toBe(`${scheme}://bucket`);
    expect(openStore(`${scheme}://bucket/`).uri).toBe(`${scheme}://bucket`);
    expect(openStore(`${scheme}://bucket/a b/%25/`).uri).toBe(`${scheme}://bucket/a%20b/%25`);
    expect(subStore(openStore(`${scheme}://bucket/a`), 'ü').uri).toBe(`${scheme}://bucket/a/%C3%BC`);
    for (const rest of ['', '/x', 'KEY:SECRET@bucket/x', 'bucket/%zz', 'bucket/a//b']) {
      const uri = `${scheme}://${rest}`;
      expect(() => openStore(uri), uri).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
      expect(() => openStore(uri), uri).not.toThrow(/SECRET/);
    }
    expect(() => openStore(`${scheme}://bucket/../x`)).toThrow(expect.objectContaining({ code: 'path_outside_root' }));
  });

  it.each(cloud.refusals)('takes status %i %s for %s', async (status, name, code) => {
    await using _ = await answering(cloud, cloud.refusing(status, name, { 'retry-after': '3' }));
    const store = bare();
    const works = [store.get('a'), store.put('a', one), store.getRange('a', 1, 1), store.getTail('a', 9)];
    for (const error of await Promise.all(works.map(refusal))) {
      expect(error).toMatchObject({ code, message: expect.stringContaining('"a"') });
      if (code === 'unavailable') expect(error.details['retryAfterMs']).toBe(3000);
    }
    if (name === cloud.missing[1]) expect(await store.head('a')).toBeUndefined();
    else if (cloud.headNames) expect((await refusal(store.head('a'))).code).toBe(code);
  });

  it('says unavailable where nobody answers, or an answer breaks off', async () => {
    {
      await using _ = await answering(
        cloud,
        (to) => void to.writeHead(200, { 'content-length': 9, etag: '"e"' }).write('half', () => to.destroy()),
      );
      expect(await refusal(bare().get('a'))).toMatchObject({ code: 'unavailable', details: { path: 'a' } });
    }
    await using _ = await answering(cloud, (to) => void to.destroy());
    const works = [bare().get('a'), bare().head('a'), bare().put('a', one), pathsOf(bare())];
    for (const error of await Promise.all(works.map(refusal))) expect(error.code).toBe('unavailable');
    cloud.use('http://127.0.0.1:1');
    expect(await refusal(bare().get('a'))).toMatchObject({ code: 'unavailable', details: { path: 'a' } });
  });

  it('refuses a server that ignores conditions, and tells a conflict from an object that is there', async () => {
    {
      await using _ = await answering(cloud, cloud.accepting);
      const refused = await refusal(bare().putIfAbsent('a', one));
      expect(refused).toMatchObject({ code: 'unsupported', message: expect.stringContaining('conditions') });
    }
    let busy = 2;
    await using _ = await answering(cloud, (to, method) => {
      const isLook = method === 'HEAD' || method === 'GET';
      const facts = isLook ? cloud.missing : busy-- > 0 ? cloud.busy : cloud.there;
      cloud.refusing(...facts)(to, method);
    });
    expect(await refusal(bare().putIfAbsent('a', one))).toMatchObject({ code: 'unavailable' });
    expect(await retryStore(bare(), { backoffMs: 0 }).putIfAbsent('a', one)).toBe(false);
    expect(busy).toBeLessThan(0);
  });

  it.skipIf(cloud.credentials.length === 0)(
    'shows no credentials, nor what was signed, in what it fails with, and sends them to no other server',
    async () => {
      const seen: string[] = [];
      await using elsewhere = await webServer({
        '/x': (request, to) => {
          seen.push(JSON.stringify(request.headers));
          to.end('theirs');
        },
      });
      const location = `${elsewhere.url}/x`;
      const answers = [
        cloud.refusing(403, cloud.refusals.find(([status]) => status === 403)![1]),
        ...[301, 302, 307].map(
          (status) => (to: ServerResponse) => void to.writeHead(status, { location, 'content-length': 0 }).end(),
        ),
      ];
      for (const [at, answer] of answers.entries()) {
        await using server = await answering(cloud, answer);
        for (const connect of cloud.credentials) {
          connect(server.url);
          for (const work of [() => bare().get('a'), () => bare().put('a', one), () => pathsOf(bare())]) {
            const error = await refusal(work()).catch((found: Error) => found);
            if (at === 0) expect(error).toMatchObject({ code: 'permission_denied', details: { status: 403 } });
            expect(inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error)).not.toMatch(cloud.secret);
          }
        }
      }
      expect(seen.join()).not.toMatch(cloud.secret);
    },
  );

  it('says which package it needs where that is not installed', async () => {
    const found = await withoutPeer(`${scheme}://bucket`, { AZURE_STORAGE_ACCOUNT: 'account' });
    expect(found).toMatch(/^missing_peer /);
    expect(found).toContain(cloud.install);
  });
});

describe.each([s3Case, gsCase, azCase])('a store at $scheme:// on a server', (cloud: CloudCase) => {
  const why = cloud.skipped === undefined ? '' : ` (skipped: ${cloud.skipped})`;
  describe.skipIf(cloud.skipped !== undefined)(`that keeps objects${why}`, () => {
    let place: CloudPlace;
    beforeAll(async () => {
      place = await cloud.place();
    });
    afterAll(() => place[Symbol.asyncDispose]());

    it('uploads what is large in parts, and leaves nothing to be seen of what fails', async () => {
      const store = openStore(await place.folder());
      await Promise.all([
        store.put('whole', large),
        store.put('pieces', pieces),
        store.put('stream', streamed(...pieces)),
      ]);
      for (const path of ['whole', 'pieces', 'stream']) {
        const expected = path === 'whole' ? large : large.subarray(0, 9_000_000);
        expect(Buffer.compare(await store.get(path), expected), path).toBe(0);
      }
      const seam = [uploadPartBytes - 5, uploadPartBytes + 5] as const;
      expect(await store.getRange('whole', seam[0], 10)).toEqual(large.slice(...seam));
      const failure = new Error('the producer failed');
      await expect(store.put('whole', streamed(...pieces, failure))).rejects.toBe(failure);
      await expect(store.put('new', streamed(...pieces, failure))).rejects.toBe(failure);
      const abort = new AbortController();
      async function* endless(): AsyncGenerator<Uint8Array> {
        for (let turn = 0; ; turn++) {
          if (turn === 31) abort.abort();
          yield pieces[0]!;
        }
      }
      const cancelled = await refusal(store.put('new', endless(), { signal: abort.signal }));
      expect(cancelled.code).toBe('cancelled');
      expect(await pathsOf(store)).toEqual(['pieces', 'stream', 'whole']);
      expect(Buffer.compare(await store.get('whole'), large)).toBe(0);
    });

    it('reads one version, and says so where an object was replaced between two ranges', async () => {
      const uri = await place.folder();
      const [reader, writer] = [openStore(uri), openStore(uri)];
      await writer.put('a', bytesOf('first', 1000));
      await reader.getTail('a', 10);
      await writer.put('a', bytesOf('second', 1000));
      expect(await refusal(reader.getRange('a', 0, 100))).toMatchObject({ code: 'file_changed' });
      expect((await reader.getTail('a', 10)).bytes).toEqual(bytesOf('second', 1000).slice(-10));
      expect(await reader.getRange('a', 0, 100)).toEqual(bytesOf('second', 1000).slice(0, 100));
    });

    it('lists names of any signs in the order of bytes, without what other tools leave for folders', async () => {
      const uri = await place.folder();
      const store = openStore(uri);
      const names = ['a b', 'a+b', 'a%20b', "q'?#*:<>&", 'ü', ...cloud.names];
      for (const name of names) await store.put(name, bytesOf(name, 5));
      for (const key of ['', 'n/', 'n//x']) await place.leave(key, uri);
      const inOrder = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect(await pathsOf(store)).toEqual(inOrder);
      for (const name of names) expect(await store.get(name)).toEqual(bytesOf(name, 5));
    });

    it('says that a bucket or a key is wrong', async () => {
      expect(await refusal(openStore(`${cloud.scheme}://no-such-bucket-here`).put('a', one))).toMatchObject({
        code: 'not_found',
        message: expect.stringContaining(cloud.bucketWord),
      });
      if (cloud.credentials.length === 0) return;
      const uri = await place.folder();
      cloud.use(place.url, 'wrong');
      expect(await refusal(openStore(uri).get('a'))).toMatchObject({ code: 'permission_denied' });
    });

    it('over a line that breaks, has one winner of 20, and every put whole or not there', async () => {
      const uri = await place.folder();
      await using line = await badLine(place.url, randomStream('bad-line', 1), 0.05);
      cloud.use(line.url);
      const retrier = new Retrier({ triesMax: 100, backoffMs: 5, savedMax: 1e6 });
      const store = retryStore(cloud.store(uri, retrier), retrier);
      for (let turn = 0; turn < lawRuns(5, 100); turn++) {
        const bodies = Array.from({ length: 20 }, (_, racer) => bytesOf(`racer-${turn}-${racer % 2}`, 1000));
        const won = await Promise.all(bodies.map((body) => store.putIfAbsent(`log/${turn}`, body)));
        expect(won.filter(Boolean)).toHaveLength(1);
        expect(await store.get(`log/${turn}`)).toEqual(bodies[won.indexOf(true)]);
      }
      const two = large.subarray(0, uploadPartBytes + 1000);
      await store.put('large', streamed(two.subarray(0, 3_000_000), two.subarray(3_000_000)));
      expect(Buffer.compare(await store.get('large'), two)).toBe(0);
      expect(line.broken()).toBeGreaterThan(5);
    }, 600_000);
  });
});
