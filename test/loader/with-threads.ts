import { createRequire, syncBuiltinESMExports } from 'node:module';

/** Runs `body` with every thread that is started meanwhile. */
export async function withThreads<T>(body: (threads: { terminate(): Promise<number> }[]) => Promise<T>): Promise<T> {
  const module = createRequire(import.meta.url)('node:worker_threads') as { Worker: new (...of: unknown[]) => never };
  const { Worker } = module;
  const threads: never[] = [];
  module.Worker = class extends (Worker as new (...of: unknown[]) => object) {
    constructor(...of: unknown[]) {
      super(...of);
      threads.push(this as never);
    }
  } as never;
  syncBuiltinESMExports();
  try {
    return await body(threads);
  } finally {
    module.Worker = Worker;
    syncBuiltinESMExports();
  }
}
