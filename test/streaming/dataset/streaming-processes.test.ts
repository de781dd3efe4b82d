import { fork } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { type RandomStream, randomStream } from '../../../src/core/random.js';
import { sleep } from '../../../src/core/runtime.js';
import { fileStore } from '../../../src/storage/file-store.js';
import { StreamingDataset } from '../../../src/streaming/dataset/streaming-dataset.js';
import { lawRuns } from '../../laws.js';
import { fileServer } from '../../storage/file-server.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { typescript } from '../../typescript.js';
import { leftovers, watchBytes } from '../cache-folder.js';
import { putTinyMds } from '../tiny-mds.js';
import type { RankBatch, RankTask } from './streaming-process.js';

const script = fileURLToPath(new URL('streaming-process.ts', import.meta.url));

/** Answers of a web server of the files in `root` that fail, stall, end early or lie; false where it is to answer well. */
function badAnswers(
  root: string,
  random: RandomStream,
): (ask: IncomingMessage, answer: ServerResponse) => Promise<boolean> {
  return async (ask, answer) => {
    const draw = random.unit();
    const name = ask.url!.split('/').at(-1)!;
    await sleep(4 * random.unit());
    if (name === 'index.json' || draw > 0.2) return false;
    if (draw < 0.06) answer.writeHead(503).end();
    else if (draw < 0.08) return true;
    else {
      const bytes = await readFile(join(root, name));
      const [, last] = /^bytes=-(\d+)$/.exec(ask.headers.range ?? '') ?? [];
      const tail = Uint8Array.from(bytes.subarray(bytes.length - Number(last ?? bytes.length)));
      const from = bytes.length - tail.length;
      const headers = {
        'content-length': tail.length,
        'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
      };
      answer.writeHead(206, headers);
      if (draw < 0.13) answer.write(tail.subarray(0, tail.length >> 1), () => answer.destroy());
      else {
        tail[random.below(tail.length)]! ^= 1 + random.below(255);
        answer.end(tail);
      }
    }
    return true;
  };
}

/** Runs a rank to its end, in processes one after the other as each is killed, and gives what it received of each epoch. */
async function runRank(task: Omit<RankTask, 'state'>, kills: number, random: RandomStream): Promise<number[][]> {
  const received: number[][] = Array.from({ length: task.epochs }, () => []);
  let state: RankBatch['state'] | undefined;
  for (let [life, done] = [0, false]; !done; life++) {
    const child = fork(script, [JSON.stringify({ ...task, state })], {
      execArgv: [...typescript],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let [errors, batches] = ['', 0];
    child.stderr!.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    const lives = life < kills ? 1 + random.below(12) : Number.NaN;
    const delayMs = 20 * random.unit();
    child.on('message', (message: RankBatch | 'done') => {
      if (message === 'done') done = true;
      else {
        received[message.epoch]!.push(...message.ids);
        state = message.state;
        if (++batches === lives) void sleep(delayMs).then(() => child.kill('SIGKILL'));
      }
    });
    // What it said last may come after its end.
    const [[code, signal]] = await Promise.all([once(child, 'exit'), once(child, 'disconnect')]);
    if (signal !== 'SIGKILL' && code !== 0)
      throw new Error(`Rank ${task.rank} exited with ${code ?? signal}: ${errors}`);
  }
  return received;
}

it('four ranks stream epochs whole through a cache of half the data, whatever the web server does and whoever is killed', async () => {
  for (let round = 0; round < lawRuns(1, 4); round++) {
    await using remote = await temporaryFolder();
    await using local = await temporaryFolder();
    const random = randomStream('streaming-processes', round);
    const shards = Array.from({ length: lawRuns(16, 48) }, () => 20 + random.below(40));
    await putTinyMds(fileStore(remote.path), { shards, ...(round % 2 === 0 ? { compression: 'gz' } : {}) });
    const index = await readFile(join(remote.path, 'index.json'), 'utf8');
    const { shards: infos } = JSON.parse(index) as { shards: { raw_data: { bytes: number; basename: string } }[] };
    const cacheLimit = index.length + Math.floor(infos.reduce((sum, { raw_data }) => sum + raw_data.bytes, 0) / 2);
    await using server = await fileServer(remote.path, { instead: badAnswers(remote.path, random) });
    const watcher = watchBytes(local.path);
    const epochs = 2;
    const ranks = await Promise.allSettled(
      [0, 1, 2, 3].map((rank) => {
        const task = { remote: server.url, local: local.path, cacheLimit, rank, worldSize: 4, epochs };
        return runRank(task, lawRuns(rank % 2, 5), randomStream('streaming-kills', round, rank));
      }),
    );
    const { most, looks } = watcher.stop();
    for (const rank of ranks) if (rank.status === 'rejected') throw rank.reason;
    const samples = shards.reduce((sum, count) => sum + count, 0);
    for (let epoch = 0; epoch < epochs; epoch++) {
      const ids = ranks.flatMap((rank) => (rank.status === 'fulfilled' ? rank.value[epoch]! : []));
      expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: samples }, (_, id) => id));
    }
    expect(looks).toBeGreaterThan(10);
    expect(most).toBeGreaterThan(cacheLimit / 3);
    expect(most).toBeLessThanOrEqual(cacheLimit);
    // One that was killed when all others had ended is cleared away by who comes next.
    await using next = new StreamingDataset({ remote: server.url, local: local.path, cacheLimit, downloadRetry: 9 });
    expect(await (await next.open()).get(0)).toMatchObject({ id: 0n });
    await next.close();
    expect(await leftovers(local.path)).toEqual([]);
    for (const { raw_data } of infos) {
      const found = statSync(join(local.path, raw_data.basename), { throwIfNoEntry: false });
      expect(found?.size ?? raw_data.bytes).toBe(raw_data.bytes);
    }
  }
});
