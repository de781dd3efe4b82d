/** Forked by key-space-faults.test.ts: syncs an index again and again, and tells of each sync. */
import { Spiral } from '../../src/client/spiral.js';

const [uri, indexId, count] = process.argv.slice(2);
const spiral = new Spiral({ config: { 'warehouse.uri': uri! } });
process.send?.('ready');
process.once('message', async () => {
  for (let turn = 0; turn < Number(count); turn++) {
    const index = await spiral.keySpaceIndex(indexId!);
    await index.sync();
    process.send?.(index.asof);
  }
  await spiral.close();
  process.disconnect();
});
