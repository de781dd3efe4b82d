import { Spiral } from 'spiral-loader';
const spiral = new Spiral({ config: { 'warehouse.uri': '/tmp/textbench-wh' } });
for (const name of ['a.jsonl', 'a.csv']) {
  const scan = await spiral.scan(await spiral.files('/tmp/textbench/' + name));
  for (const options of [{ shuffleShards: false }, { shuffle: 'epoch' as const }]) {
    await using loader = scan.toDataLoader({ ...options, batchSize: 256 });
    for (let e = 0; e < 3; e++) {
    const c = process.cpuUsage(); let n = 0;
    for await (const b of loader) n += b.numRows;
    const u = process.cpuUsage(c);
    console.log(name, JSON.stringify(options), n, 'CPU us a row', ((u.user + u.system) / n).toFixed(2), 'rss', (process.memoryUsage().rss/2**20).toFixed(0));
    }
  }
}
await spiral.close();
