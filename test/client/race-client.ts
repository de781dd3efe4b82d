/** Forked by concurrency.test.ts: commits writes of one row each, under keys of its own, and tells of each. */
import { Spiral } from '../../src/client/spiral.js';

const [uri, tableId, writer, count] = process.argv.slice(2);
const spiral = new Spiral({ config: { 'warehouse.uri': uri! } });
const table = await spiral.table(tableId!);
process.send?.('ready');
process.once('message', async () => {
  for (let turn = 0; turn < Number(count); turn++) {
    const id = BigInt(Number(writer) * Number(count) + turn);
    await table.write([{ id, [`by_${writer}`]: turn, shared: `${writer} ${turn}` }]);
    process.send?.(turn);
  }
  await spiral.close();
  process.disconnect();
});
