/** Forked by races.ts: writers that claim every name they can, each by a store of its own; sends the names each won. */
import { openStore } from '../../src/storage/open-store.js';

const [uri, first, writers, names] = process.argv.slice(2);
const stores = Array.from({ length: Number(writers) }, () => openStore(uri!));
process.send?.('ready');
process.once('message', async () => {
  const won = stores.map((): string[] => []);
  for (let turn = 0; turn < Number(names); turn++) {
    const path = `log/${turn}`;
    await Promise.all(
      stores.map(async (store, at) => {
        const body = new TextEncoder().encode(`${Number(first) + at} ${path}`);
        if (await store.putIfAbsent(path, body)) won[at]!.push(path);
      }),
    );
  }
  await Promise.all(stores.map((store) => store.close()));
  process.send?.(won, () => process.disconnect());
});
