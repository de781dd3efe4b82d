/** Forked by mds-writer-kill.test.ts: goes on with a data set until it is killed, telling of every hundredth sample. */
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import { killedColumns, killedOptions, killedSample } from './killed-set.js';

const writer = new MDSWriter({ out: process.argv[2]!, columns: killedColumns, ...killedOptions, resume: true });
const { samples } = await writer.start();
for (let id = samples; ; id++) {
  await writer.write(killedSample(id));
  if (id % 100 === 0) process.send?.(id);
}
