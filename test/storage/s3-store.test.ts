import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore } from '../../src/storage/open-store.js';
import { Retrier } from '../../src/storage/retrier.js';
import { s3Store } from '../../src/storage/s3-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import { bytesOf, pathsOf, streamed } from '../../src/testing/store-law-probes.js';
import { refusal } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';
import { type Answering, answering } from './cloud-case.js';
import { keptEnvironment } from './kept-environment.js';
import { race } from './races.js';
import { s3Case } from './s3-case.js';
import { onS3, s3Endpoint, s3Folder } from './s3-gateway.js';

let environment: Disposable;
beforeEach(() => {
  environment = keptEnvironment();
});
afterEach(() => environment[Symbol.dispose]());

const answerOf =
  (text: string): Answering =>
  (to) =>
    void to.writeHead(200, { 'content-type': 'application/xml', 'content-length': text.length }).end(text);
const listOf = (inside: string): string => `<?xml version="1.0"?><ListBucketResult>${inside}</ListBucketResult>`;
const bare = (): ObjectStore => s3Store('s3://bucket/folder', new Retrier({ triesMax: 1 }));

describe('an s3Store', () => {
  it.each([
    ['a key that is not percent-encoded', '<Contents><Key>folder/50%</Key></Contents>', 'percent-encoded'],
    ['an object without a key', '<Contents><Size>1</Size></Contents>', 'has no key'],
    ['no word of how it goes on', '<IsTruncated>true</IsTruncated>', 'how'],
    [
      'itself as its next page',
      '<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>',
      'own next',
    ],
  ])('refuses a list with %s', async (_, inside, why) => {
    const text = listOf(`<Name>bucket</Name><EncodingType>url</EncodingType>${inside}`);
    await using server = await answering(s3Case, answerOf(text));
    const error = await refusal(pathsOf(bare()));
    expect(error, server.url).toMatchObject({ code: 'unavailable', message: expect.stringContaining(why) });
  });

  it.each(['', 'no XML', '<html>', '<html><body>Log in first.</body></html>', listOf('')])(
    'refuses an answer to a list that is none: %j',
    async (text) => {
      await using server = await answering(s3Case, answerOf(text));
      expect(await refusal(pathsOf(bare())), server.url).toMatchObject({
        code: 'unavailable',
        details: { doing: 'list' },
      });
    },
  );

  it('says so where the endpoint is no URL', async () => {
    s3Case.use('nowhere');
    expect(await refusal(bare().get('a'))).toMatchObject({
      code: 'invalid_argument',
      message: expect.stringContaining('AWS_ENDPOINT_URL'),
    });
  });

  it('takes keys as they are where a list does not say that they are encoded', async () => {
    await using _ = await answering(
      s3Case,
      answerOf(listOf('<Name>bucket</Name><Contents><Key>folder/50%+</Key><Size>1</Size></Contents>')),
    );
    expect(await pathsOf(bare())).toEqual(['50%+']);
  });
});

describe.skipIf(s3Endpoint === undefined)(`an s3Store ${onS3}`, () => {
  it('leaves no hidden parts of an upload that fails', async () => {
    const uri = await s3Folder();
    const store = openStore(uri);
    const piece = bytesOf('piece', 600_000);
    const failure = new Error('the producer failed');
    const pieces = Array.from({ length: 30 }, () => piece);
    await expect(store.put('new', streamed(...pieces, failure))).rejects.toBe(failure);
    const abort = new AbortController();
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let turn = 0; ; turn++) {
        if (turn === 16) abort.abort();
        yield piece;
      }
    }
    expect(await refusal(store.put('new', endless(), { signal: abort.signal }))).toMatchObject({ code: 'cancelled' });
    const [, Bucket] = /^s3:\/\/([^/]+)\//.exec(uri)!;
    const client = new S3Client({ forcePathStyle: true });
    expect((await client.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads ?? []).toEqual([]);
    client.destroy();
  });

  it('lists page after page', async () => {
    const store = openStore(await s3Folder());
    const many = Array.from({ length: 1100 }, (_, at) => `n/${String(at).padStart(5, '0')}`);
    await Promise.all(many.map((path) => store.put(path, new Uint8Array(1))));
    expect(await pathsOf(store, 'n/')).toEqual(many);
  });

  it('has one winner a name among twenty writers in several processes', async () => {
    const names = lawRuns(10, 100);
    for (const processes of lawRuns(0, 1) === 1 ? [1, 4, 20] : [4]) {
      await race(await s3Folder(), processes, 20 / processes, names);
    }
  }, 1_800_000);
});
