import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/core/random.js';
import { sleep } from '../../../src/core/runtime.js';
import { GrowingBytes } from '../../../src/format/growing-bytes.js';
import { fileStore } from '../../../src/storage/file-store.js';
import { memoryStore } from '../../../src/storage/memory-store.js';
import type { ObjectStore } from '../../../src/storage/store.js';
import { MdsLayout } from '../../../src/streaming/writing/mds-layout.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import { ShardQueue } from '../../../src/streaming/writing/shard-queue.js';
import { writerSettings } from '../../../src/streaming/writing/writer-settings.js';
import { WriterTarget } from '../../../src/streaming/writing/writer-target.js';
import { faultStore, isCrash } from '../../../src/testing/fault-store.js';
import { lawRuns } from '../../laws.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { typescript } from '../../typescript.js';
import { killedColumns, killedOptions, killedSample } from './killed-set.js';

const options = { columns: killedColumns, ...killedOptions };

/** What a writer that nothing ever stops makes of `samples` samples, by name. */
async function whole(samples: number): Promise<Map<string, Buffer>> {
  await using folder = await temporaryFolder();
  await using writer = new MDSWriter({ out: folder.path, ...options });
  for (let id = 0; id < samples; id++) await writer.write(killedSample(id));
  await writer.finish();
  return await filesOf(fileStore(folder.path));
}

/** Shards that the checkpoint in `folder` tells of. */
async function notedShards(folder: string): Promise<number> {
  const text = await readFile(join(folder, 'writer.checkpoint'), 'utf8').catch(() => '{"shards": []}');
  return JSON.parse(text).shards.length;
}

async function filesOf(store: ObjectStore): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for await (const { path } of store.list('')) found.set(path, Buffer.from(await store.get(path)));
  return found;
}

describe('a writer that dies', () => {
  it('by SIGKILL at any moment, again and again, is gone on from, to the bytes of one that was never stopped', async () => {
    await using folder = await temporaryFolder();
    const random = randomStream('mds-writer-kill');
    const script = fileURLToPath(new URL('endless-writer.ts', import.meta.url));
    let most = 0;
    for (let turn = 0; turn < lawRuns(2, 30); turn++) {
      const child = fork(script, [folder.path], { execArgv: [...typescript] });
      const before = await notedShards(folder.path);
      const wanted = before + 1 + random.below(4);
      while ((await notedShards(folder.path)) < wanted) await once(child, 'message');
      await sleep(random.unit() * 20);
      child.kill('SIGKILL');
      await once(child, 'exit');
      expect(await readdir(folder.path)).not.toContain('index.json');
      await using looker = new MDSWriter({ out: folder.path, ...options, resume: true });
      const { samples, shards } = await looker.start();
      expect(shards).toBeGreaterThan(before);
      expect(samples).toBeGreaterThan(most);
      most = samples;
    }
    await using last = new MDSWriter({ out: folder.path, ...options, resume: true });
    const { samples } = await last.start();
    for (let id = samples; id < most + 1000; id++) await last.write(killedSample(id));
    await last.finish();
    const expected = await whole(most + 1000);
    expect([...(await readdir(folder.path))].filter((name) => name !== '.tmp').sort()).toEqual(
      [...expected.keys()].sort(),
    );
    for (const [name, bytes] of expected) expect(await readFile(join(folder.path, name)), name).toEqual(bytes);
  });

  const settingsOf = (resume: boolean): ReturnType<typeof writerSettings> =>
    writerSettings('the test', { out: 'none', columns: { id: 'int' }, resume, hashes: ['md5'], maxWorkers: 2 }, []);
  const layout = new MdsLayout({ id: 'int' }, settingsOf(false).common);

  /** Closes its store, as writers do. Adds shards of one sample from the first that is not there, to make `count`, and ends with an index. */
  async function work(store: ObjectStore, resume: boolean, count: number): Promise<void> {
    const queue = new ShardQueue(new WriterTarget([store]), layout, settingsOf(resume));
    try {
      const { kept } = await queue.begin();
      for (let at = kept.shards.length; at < count; at++) {
        const bytes = new GrowingBytes(64);
        layout.append({ id: at }, bytes);
        queue.add(bytes.bytes.subarray(0, bytes.length), [0]);
        await queue.room();
      }
      await queue.finish();
    } catch (error) {
      await queue.abandon(false);
      throw error;
    }
  }

  it.each(['before', 'during', 'after'] as const)(
    'with its store, %s any operation, leaves no index or a whole one, and can be gone on from',
    async (crash) => {
      const sound = memoryStore();
      await work(faultStore(sound), false, 6);
      const expected = await filesOf(sound);
      const counted = faultStore(memoryStore());
      await work(counted, false, 6);
      for (let crashAfter = 1; crashAfter <= counted.operations; crashAfter++) {
        const base = memoryStore();
        const failure: unknown = await work(faultStore(base, { crashAfter, crash }), false, 6).catch(
          (error: unknown) => error,
        );
        if (failure !== undefined) expect(isCrash(failure), String(failure)).toBe(true);
        const index = (await filesOf(base)).get('index.json');
        if (index !== undefined) expect(index).toEqual(expected.get('index.json'));
        await work(faultStore(base), true, 6);
        expect(await filesOf(base), `operation ${crashAfter}`).toEqual(expected);
      }
    },
  );
});
