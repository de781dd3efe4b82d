import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { s3Store } from '../../src/storage/s3-store.js';
import type { CloudCase } from './cloud-case.js';
import { s3Endpoint, s3Folder, useS3 } from './s3-gateway.js';

/** S3, against the server that `scripts/s3-gateway.sh` started. */
export const s3Case: CloudCase = {
  scheme: 's3',
  store: s3Store,
  bucketWord: 'bucket',
  install: 'npm install @aws-sdk/client-s3',
  refusals: [
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
  ],
  refusing: (status, name, headers) => (to, method) => {
    const text =
      `<?xml version="1.0"?><Error><Code>${name}</Code><Message>No.</Message><AWSAccessKeyId>KEYID</AWSAccessKeyId>` +
      '<StringToSign>SIGNED</StringToSign><CanonicalRequest>x-amz-security-token:TOKEN</CanonicalRequest></Error>';
    const body = method === 'HEAD' ? '' : text;
    to.writeHead(status, { 'content-type': 'application/xml', 'content-length': body.length, ...headers }).end(body);
  },
  headNames: false,
  accepting: (to) => void to.writeHead(200, { etag: '"e"', 'content-length': 0 }).end(),
  missing: [404, 'NoSuchKey'],
  busy: [409, 'ConditionalRequestConflict'],
  there: [412, 'PreconditionFailed'],
  use: (url, wrong) => {
    useS3(url);
    if (wrong !== undefined) process.env['AWS_SECRET_ACCESS_KEY'] = wrong;
    process.env['AWS_ACCESS_KEY_ID'] ??= 'AKTEST';
    process.env['AWS_SECRET_ACCESS_KEY'] ??= 'SKTEST';
  },
  credentials: [
    () => {
      process.env['AWS_ACCESS_KEY_ID'] = 'KEYID';
      process.env['AWS_SECRET_ACCESS_KEY'] = 'SECRET';
      process.env['AWS_SESSION_TOKEN'] = 'TOKEN';
    },
  ],
  secret: /KEYID|SECRET|TOKEN|SIGNED|Signature=/,
  names: ['nl\nx', 'tab\t', '\u0001', '😀', '\uffee'],
  skipped: s3Endpoint === undefined ? 'SPIRAL_TEST_S3 names no server' : undefined,
  place: async () => {
    useS3();
    return {
      url: s3Endpoint!,
      folder: s3Folder,
      leave: async (key, folder) => {
        const [, Bucket, prefix] = /^s3:\/\/([^/]+)\/(.*)$/.exec(folder)!;
        const client = new S3Client({ forcePathStyle: true });
        await client.send(new PutObjectCommand({ Bucket, Key: `${prefix}/${key}`, Body: '', ContentLength: 0 }));
        client.destroy();
      },
      [Symbol.asyncDispose]: async () => {},
    };
  },
};
