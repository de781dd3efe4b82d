import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Files that take ten seconds and more, the longest first; most of them small, as they start processes and wait for them. */
const slow: readonly string[] = [
  'test/loader/feeder-map-workers.test.ts',
  'test/readme.test.ts',
  'test/loader/map-workers.test.ts',
  'test/examples/data-parallel.test.ts',
  'test/client/concurrency.test.ts',
  'test/storage/contract.test.ts',
  'test/examples/mnist-kill.test.ts',
  'test/loader/map-exit.test.ts',
  'test/client/crash.test.ts',
  'test/loader/row-errors.test.ts',
  'test/examples/streaming.test.ts',
  'test/loader/feeder.test.ts',
  'test/loader/decode-threads.test.ts',
  'test/examples/tokens.test.ts',
  'test/client/upkeep-crash.test.ts',
  'test/scripts/soak.test.ts',
  'test/client/udf.test.ts',
  'test/storage/s3-store.test.ts',
  'test/client/s3.test.ts',
  'test/client/cached-stores.test.ts',
  'test/examples/parquet.test.ts',
  'test/table/write.test.ts',
  'test/client/scan-progress.test.ts',
  'test/client/bounded-memory.test.ts',
  'test/fuzz/fuzz.test.ts',
  'test/streaming/dataset/streaming-processes.test.ts',
];

/** Starts the slow files first, the others by their size: a run then ends with short ones, on all its workers. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const gone = slow.filter((path) => !existsSync(root + path));
    if (gone.length > 0)
      throw new Error(`Expected the files that test/slow-first.ts names, found no ${gone.join(', ')}.`);
    const place = ({ moduleId }: TestSpecification): number => {
      const at = slow.findIndex((path) => moduleId === root + path);
      return at < 0 ? slow.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}
