import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { Spiral } from 'spiral-loader';
import type { DataSet } from './data-set.js';
import { s3Endpoint } from './s3-endpoint.js';
import { wideBatches } from './wide-rows.js';

const bucket = 'bench';
/** Its rows take 85 MB. */
export const s3RowCount = 300_000;

/** The wide rows, fewer of them, in a table of a bucket. */
export const s3Rows: DataSet = {
  name: 's3',
  make: async (scale) => {
    useS3();
    const client = s3Client();
    // A bucket of an earlier run has a folder for each.
    await client.send(new CreateBucketCommand({ Bucket: bucket })).catch((error: Error) => {
      if (!/BucketAlready/.test(error.name)) throw error;
    });
    client.destroy();
    await using spiral = new Spiral({ config: { 'warehouse.uri': s3Warehouse() } });
    const project = await spiral.createProject('bench');
    const table = await project.createTable('wide', { keySchema: { id: 'int64' } });
    await table.write(wideBatches(scale.rows(s3RowCount), BigInt));
  },
};

/**
 * A client of the warehouse that {@link s3Rows} made, with at most `concurrency` requests at once, and without a cache, as
 * every pass is to be read from the server.
 */
export function s3Spiral(concurrency: number): Spiral {
  useS3();
  return new Spiral({
    config: {
      'warehouse.uri': s3Warehouse(),
      'fragments_cache.enabled': false,
      'limits.concurrency': concurrency,
    },
  });
}

export function s3Client(): S3Client {
  useS3();
  return new S3Client({ forcePathStyle: true });
}

/** Bucket and folder of the warehouse. */
export const s3Place: { readonly bucket: string; readonly folder: string } = {
  bucket,
  folder: (process.env['SPIRAL_BENCH_S3_FOLDER'] ??= String(process.pid)),
};

function s3Warehouse(): string {
  return `s3://${s3Place.bucket}/${s3Place.folder}`;
}

function useS3(): void {
  process.env['AWS_ENDPOINT_URL_S3'] = s3Endpoint;
  process.env['AWS_REGION'] = 'us-east-1';
  process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
}
