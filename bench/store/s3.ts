import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import type { Benchmark, OpenSide, Pass } from '../benchmark.js';
import { s3Client, s3Place, s3Rows, s3Spiral } from '../data/s3-rows.js';
import { wideRowBytes } from '../data/wide-rows.js';

/** Requests under way at once, on either side. */
const concurrency = 4;
/** Batches are given in order: more than may be asked for at once, so that one that is late leaves no request unasked. */
const batchReadahead = 2 * concurrency;

/** A scan of a table in a bucket against nothing but the GETs of its bytes. */
export const storeS3: Benchmark = {
  name: 'store/s3',
  work: `300,000 wide rows of a table in an S3 bucket (a gateway on this machine), all columns, ${concurrency} requests at once.`,
  data: [s3Rows],
  sides: [
    { name: 'spiral', open: scanSide },
    { name: 'raw ranged GETs', open: () => rawSide(false) },
    { name: 'raw ranged GETs, bytes handed over', open: () => rawSide(true) },
  ],
  figures: [{ kind: 'ratio', of: 'spiral', against: 'raw ranged GETs', atLeast: 0.8 }],
};

async function scanSide(): Promise<OpenSide> {
  const spiral = s3Spiral(concurrency);
  const scan = await spiral.scan(await spiral.project('bench').table('wide'));
  return {
    pass: async () => {
      const before = scan.metrics.bytes;
      let rows = 0;
      for await (const batch of scan.toRecordBatches({ batchReadahead })) rows += batch.numRows;
      return { rows, bytes: scan.metrics.bytes - before };
    },
    close: () => spiral.close(),
  };
}

/**
 * The data files in ranges as long as a record batch, each read into memory of its own, which is dropped where it was filled
 * or, as of a reader that somebody uses, is what the promise of the read resolves to. That costs: a promise that has
 * outlived a young collection of V8 keeps its value until a whole one, which marks the heap.
 */
async function rawSide(handsOver: boolean): Promise<OpenSide> {
  const client = s3Client();
  const { bucket: Bucket, folder } = s3Place;
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: `${folder}/tables/` }));
  const files = Contents.filter(({ Key }) => Key!.includes('/data/'));
  const length = 8192 * wideRowBytes;
  const ranges = files.flatMap(({ Key, Size }) =>
    Array.from({ length: Math.ceil(Size! / length) }, (_, at) => ({
      Key: Key!,
      from: at * length,
      to: Math.min(Size!, (at + 1) * length),
    })),
  );
  const bytes = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
  const read = async ({ Key, from, to }: (typeof ranges)[number]): Promise<Uint8Array | undefined> => {
    const answer = await client.send(new GetObjectCommand({ Bucket, Key, Range: `bytes=${from}-${to - 1}` }));
    const into = Buffer.allocUnsafeSlow(to - from);
    let done = 0;
    for await (const piece of answer.Body as AsyncIterable<Uint8Array>) {
      into.set(piece, done);
      done += piece.length;
    }
    if (done !== into.length) throw new Error(`Expected ${into.length} bytes of ${Key}, found ${done}.`);
    return handsOver ? into : undefined;
  };
  return {
    pass: async (): Promise<Pass> => {
      const left = ranges.values();
      const reader = async (): Promise<void> => {
        for (const range of left) await read(range);
      };
      await Promise.all(Array.from({ length: concurrency }, reader));
      return { rows: Math.round(bytes / wideRowBytes), bytes };
    },
    close: async () => client.destroy(),
  };
}
