import { MessageChannel, Worker } from 'node:worker_threads';
import { portStore } from '../../src/storage/port-store.js';
import type { ObjectStore } from '../../src/storage/store.js';

/** A thread that serves stores, for as long as this one lives. */
let thread: Worker | undefined;

/** A new store of another thread: of the files in `folder`, or in memory. */
export function storeOfThread(folder?: string): ObjectStore {
  thread ??= new Worker(new URL('./serving-thread.mjs', import.meta.url));
  thread.unref();
  const { port1, port2 } = new MessageChannel();
  thread.postMessage({ port: port2, folder }, [port2]);
  return portStore(port1, folder ?? 'memory://of-a-thread');
}
