/** Tells what V8 counts for a large arena, then makes arenas that nobody refers to and tells how many of them are gone. */
import { parentPort } from 'node:worker_threads';
import { Arena } from '../../build/core/arena.js';

const before = process.memoryUsage().arrayBuffers;
const large = new Arena();
large.allocate(64 * 1024 * 1024);
const counted = process.memoryUsage().arrayBuffers - before;
const { byteLength } = large.memory.buffer;

const made = 400;
let gone = 0;
const registry = new FinalizationRegistry(() => {
  gone++;
});
for (let number = 0; number < made; number++) {
  const arena = new Arena();
  arena.allocate(100);
  registry.register(arena, undefined);
  await new Promise((resolve) => setImmediate(resolve));
}
parentPort.postMessage({ counted, byteLength, made, gone });
