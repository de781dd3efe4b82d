import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { uniqueId } from '../../src/core/random.js';

/** The S3 server that tests run against, as `scripts/s3-gateway.sh start` prints it; undefined: they are skipped. */
export const s3Endpoint: string | undefined = process.env['SPIRAL_TEST_S3'];

/** Stands in the names of tests that need it. */
export const onS3: string = s3Endpoint === undefined ? 'on S3 (skipped: SPIRAL_TEST_S3 names no server)' : 'on S3';

/** Has this process, and those that it starts, find the server. */
export function useS3(endpoint: string | undefined = s3Endpoint): void {
  if (endpoint !== undefined) process.env['AWS_ENDPOINT_URL_S3'] = endpoint;
  process.env['AWS_REGION'] = 'us-east-1';
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}

let bucket: Promise<string> | undefined;

/** The URI of a folder that nobody else has, in a bucket of this process, which finds the server. */
export async function s3Folder(): Promise<string> {
  useS3();
  bucket ??= makeBucket();
  return `s3://${await bucket}/${uniqueId('')}`;
}

async function makeBucket(): Promise<string> {
  const name = uniqueId('test-');
  const client = new S3Client({ forcePathStyle: true, requestHandler: { socketTimeout: 5000 } });
  await client.send(new CreateBucketCommand({ Bucket: name }));
  client.destroy();
  return name;
}
