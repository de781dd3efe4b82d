import { parentPort } from 'node:worker_threads';
import { fileStore } from '../../build/storage/file-store.js';
import { memoryStore } from '../../build/storage/memory-store.js';
import { serveStore } from '../../build/storage/serve-store.js';
import { subStore } from '../../build/storage/sub-store.js';

/** Serves a new store over every port that it is sent: of the files in `folder`, or in memory. Plain JavaScript, as Node runs no TypeScript in threads. */
parentPort.on('message', ({ port, folder }) => {
  serveStore(folder === undefined ? memoryStore() : subStore(fileStore(folder), 'below'), port);
});
