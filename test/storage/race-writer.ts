/** Forked by file-store.test.ts: claims every name it can, and prints those that it won. */
import { fileStore } from '../../src/storage/file-store.js';

const [root, writer, count] = process.argv.slice(2);
const store = fileStore(root!);
const won: string[] = [];
process.send?.('ready');
process.once('message', async () => {
  for (let turn = 0; turn < Number(count); turn++) {
    const path = `log/${turn}`;
    if (await store.putIfAbsent(path, new TextEncoder().encode(`${writer} ${path}`))) won.push(path);
  }
  await store.close();
  process.send?.(won, () => process.disconnect());
});
