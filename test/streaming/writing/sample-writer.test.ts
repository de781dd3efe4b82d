import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { uniqueId } from '../../../src/core/random.js';
import { Spiral } from '../../../src/index.js';
import { openStore } from '../../../src/storage/open-store.js';
import { CSVWriter } from '../../../src/streaming/writing/csv-writer.js';
import { MDSWriter } from '../../../src/streaming/writing/mds-writer.js';
import type { SampleWriter } from '../../../src/streaming/writing/sample-writer.js';
import type { WriterOptions } from '../../../src/streaming/writing/writer-settings.js';
import { refusal } from '../../client/spiral-at.js';

const root = await mkdtemp(join(tmpdir(), 'spiral-writer-'));
afterAll(() => rm(root, { recursive: true }));
const temporaryFolder = (): Promise<string> => mkdtemp(join(root, 'set-'));

const columns = { id: 'int', text: 'str' };
const sampleOf = (id: number): { id: number; text: string } => ({ id, text: `sample number ${id}` });
/** Some five samples a shard. */
const small = { columns, sizeLimit: 400 };

async function write(writer: SampleWriter, from: number, to: number): Promise<void> {
  for (let id = from; id < to; id++) await writer.write(sampleOf(id));
}

async function idsOf(uri: string): Promise<number[]> {
  await using spiral = new Spiral({ config: { 'warehouse.uri': `memory://${uniqueId('w-')}` } });
  const rows = await (await spiral.scan(await spiral.files(uri, { format: 'mds' }))).toRows();
  for (const { id, text } of rows) expect(text).toBe(sampleOf(Number(id)).text);
  return rows.map(({ id }) => Number(id));
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, id) => id);
const namesOf = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name !== '.tmp').sort();
const newUri = (): string => `memory://${uniqueId('writer-')}`;

async function listed(uri: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { path } of openStore(uri).list('')) found.push(path);
  return found;
}

describe('a writer', () => {
  it('makes no index when the block around it is left by an error, and keeps whole shards for `resume`', async () => {
    const out = newUri();
    const failing = async (): Promise<void> => {
      await using writer = new MDSWriter({ out, ...small });
      await write(writer, 0, 23);
      throw new Error('the data ran out');
    };
    await expect(failing()).rejects.toThrow('the data ran out');
    const left = await listed(out);
    expect(left).not.toContain('index.json');
    expect(left).toContain('writer.checkpoint');
    const refused = await refusal(new MDSWriter({ out, ...small }).write(sampleOf(0)));
    expect(refused.code).toBe('already_exists');
    expect(refused.message).toContain('resume: true');

    await using writer = new MDSWriter({ out, ...small, resume: true });
    const { samples, shards } = await writer.start();
    expect(samples).toBeGreaterThan(0);
    expect(samples).toBeLessThan(23);
    expect(left.filter((name) => name.endsWith('.mds'))).toHaveLength(shards);
    await write(writer, samples, 40);
    expect(await writer.finish()).toMatchObject({ samples: 40 });
    expect(await idsOf(out)).toEqual(upTo(40));
    expect(await listed(out)).not.toContain('writer.checkpoint');
  });

  it('leaves a folder as it was where nothing was written', async () => {
    const out = newUri();
    await using writer = new MDSWriter({ out, ...small });
    await writer.start();
    await refusal(writer.write({ id: 'x' }));
    await writer.close();
    expect(await listed(out)).toEqual([]);
  });

  it('makes the same bytes resumed as in one go', async () => {
    const [whole, cut] = [await temporaryFolder(), await temporaryFolder()];
    const options = { ...small, compression: 'zstd', hashes: ['xxh64', 'sha1'] };
    await using first = new MDSWriter({ out: whole, ...options });
    await write(first, 0, 100);
    await first.finish();
    let at = 0;
    for (const to of [13, 57, 100]) {
      await using writer = new MDSWriter({ out: cut, ...options, resume: true });
      ({ samples: at } = await writer.start());
      await write(writer, at, to);
      if (to === 100) await writer.finish();
    }
    expect(await namesOf(cut)).toEqual(await namesOf(whole));
    for (const name of await namesOf(whole)) {
      expect(await readFile(join(cut, name)), name).toEqual(await readFile(join(whole, name)));
    }
  });

  it('appends to a data set, which stays as it was until the end', async () => {
    const out = await temporaryFolder();
    await using first = new MDSWriter({ out, ...small });
    await write(first, 0, 12);
    await first.finish();
    await using second = new MDSWriter({ out, ...small, resume: true, compression: 'br:1' });
    expect(await second.start()).toMatchObject({ samples: 12 });
    await write(second, 12, 30);
    expect(await idsOf(out)).toEqual(upTo(12));
    expect(second.samples).toBe(30);
    await second.finish();
    expect(await idsOf(out)).toEqual(upTo(30));

    await using third = new MDSWriter({ out, ...small, resume: true });
    await third.start();
    await third.close();
    expect(await namesOf(out)).not.toContain('writer.checkpoint');
  });

  it('does not go on with other columns, lost shards or a cut one', async () => {
    const out = await temporaryFolder();
    await using first = new MDSWriter({ out, ...small });
    await write(first, 0, 12);
    await first.finish();
    for (const other of [{ id: 'int' }, { id: 'int32', text: 'str' }]) {
      const error = await refusal(new MDSWriter({ out, columns: other, resume: true }).start());
      expect(error.code).toBe('state_mismatch');
    }
    const format = await refusal(new CSVWriter({ out, columns, resume: true }).start());
    expect(format.code).toBe('state_mismatch');
    await rm(join(out, 'shard.00000.mds'));
    expect((await refusal(new MDSWriter({ out, ...small, resume: true }).start())).code).toBe('not_found');
    await writeFile(join(out, 'index.json'), '{');
    expect((await refusal(new MDSWriter({ out, ...small, resume: true }).start())).code).toBe('corrupt_file');
  });

  it('goes on before the first shard of a checkpoint that is not whole, and takes away what lies behind', async () => {
    const out = await temporaryFolder();
    await using first = new MDSWriter({ out, ...small });
    await write(first, 0, 40);
    // What is not whole yet when a writer ends is given up.
    const whole = [0, 1, 2].map((number) => `shard.0000${number}.mds`);
    await vi.waitFor(async () => expect(await namesOf(out)).toEqual(expect.arrayContaining(whole)), 60_000);
    await first.close();
    await writeFile(join(out, 'shard.00002.mds'), 'cut');
    await using second = new MDSWriter({ out, ...small, resume: true });
    const { samples, shards } = await second.start();
    expect(shards).toBe(2);
    expect((await namesOf(out)).filter((name) => name.startsWith('shard'))).toHaveLength(2);
    await write(second, samples, 40);
    await second.finish();
    expect(await idsOf(out)).toEqual(upTo(40));
  });

  it('with `existOk` deletes the data set that is there, and nothing else', async () => {
    const out = await temporaryFolder();
    await using first = new MDSWriter({ out, ...small, compression: 'gz' });
    await write(first, 0, 40);
    await first.finish();
    await writeFile(join(out, 'notes.txt'), 'mine');
    expect((await refusal(new MDSWriter({ out, ...small }).start())).code).toBe('already_exists');
    await using second = new MDSWriter({ out, columns, existOk: true });
    await write(second, 0, 3);
    await second.finish();
    expect(await namesOf(out)).toEqual(['index.json', 'notes.txt', 'shard.00000.mds']);
    expect(await idsOf(out)).toEqual(upTo(3));
    await mkdir(join(out, 'part'));
    await writeFile(join(out, 'part/index.json'), '{}');
    expect((await refusal(new MDSWriter({ out, columns, existOk: true }).start())).code).toBe('already_exists');
    expect(await namesOf(out)).toContain('shard.00000.mds');
  });

  it('lets one of two writers have a folder', async () => {
    const out = newUri();
    const writers = [new MDSWriter({ out, ...small }), new MDSWriter({ out, ...small })];
    const ends = await Promise.allSettled(writers.map((writer) => writer.start()));
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await Promise.all(writers.map((writer) => writer.close()));
  });

  it('writes a pair of places to the remote one alone, or with `keepLocal` to both', async () => {
    for (const keepLocal of [false, true]) {
      const [local, remote] = [await temporaryFolder(), newUri()];
      await using writer = new MDSWriter({ out: [local, remote], ...small, keepLocal });
      await write(writer, 0, 20);
      await writer.finish();
      expect(await idsOf(remote)).toEqual(upTo(20));
      expect(await namesOf(local)).toEqual(keepLocal ? await listed(remote) : []);
      if (keepLocal) expect(await idsOf(local)).toEqual(upTo(20));
    }
  });

  it('packs large shards in threads, and ends them', async () => {
    const out = await temporaryFolder();
    const options: WriterOptions = { out, columns: { id: 'int', blob: 'bytes' }, sizeLimit: '128kb' };
    for (const compression of ['zstd', 'bz2:1', null]) {
      await using writer = new MDSWriter({ ...options, compression, hashes: ['xxh64'], existOk: true, maxWorkers: 2 });
      const blob = Buffer.alloc(1000, 'some text ');
      for (let id = 0; id < 1000; id++) await writer.write({ id, blob });
      expect(await writer.finish()).toMatchObject({ samples: 1000, shards: 8 });
      await using spiral = new Spiral({ config: { 'warehouse.uri': newUri() } });
      const table = await spiral.files(out, { format: 'mds', mds: { validateHash: 'xxh64' } });
      expect((await (await spiral.scan(table.select('id'))).toRows()).map(({ id }) => Number(id))).toEqual(upTo(1000));
    }
  });

  it('ends with what storing failed with, at the next write and at the end', async () => {
    const out = await temporaryFolder();
    await writeFile(join(out, 'a-file'), '');
    const writer = new MDSWriter({ out: join(out, 'a-file', 'set'), ...small });
    const error = await refusal(writer.write(sampleOf(0)));
    expect(error.code).toBe('already_exists');
    expect(await refusal(writer.write(sampleOf(1)))).toBe(error);
    expect(await refusal(writer.finish())).toBe(error);
    await writer.close();
  });

  it('ends with its signal, without an index', async () => {
    const out = newUri();
    const stop = new AbortController();
    await using writer = new MDSWriter({ out, ...small, signal: stop.signal });
    await write(writer, 0, 30);
    stop.abort();
    expect((await refusal(writer.write(sampleOf(30)))).code).toBe('cancelled');
    expect((await refusal(writer.finish())).code).toBe('cancelled');
    expect(await listed(out)).not.toContain('index.json');
  });

  it('takes nothing more once it was finished or closed; ending it again changes nothing', async () => {
    const out = newUri();
    const writer = new MDSWriter({ out, ...small });
    await writer.write(sampleOf(0));
    const first = await writer.finish();
    expect(await writer.finish()).toBe(first);
    await writer.close();
    await writer.discard();
    expect((await refusal(writer.write(sampleOf(1)))).code).toBe('closed');
    expect(await idsOf(out)).toEqual([0]);
    const closed = new MDSWriter({ out: newUri(), ...small });
    await closed.close();
    expect((await refusal(closed.finish())).code).toBe('closed');
  });

  it('discards all that it stored, and only that', async () => {
    const out = await temporaryFolder();
    await using first = new MDSWriter({ out, ...small });
    await write(first, 0, 30);
    await first.discard();
    expect(await namesOf(out)).toEqual([]);
    await using second = new MDSWriter({ out, ...small });
    await write(second, 0, 10);
    await second.finish();
    const names = await namesOf(out);
    await using third = new MDSWriter({ out, ...small, resume: true });
    await third.start();
    await write(third, 10, 40);
    await third.discard();
    expect(await namesOf(out)).toEqual(names);
  });

  it('keeps the order of samples that were not awaited', async () => {
    const out = newUri();
    await using writer = new MDSWriter({ out, ...small });
    await Promise.all(upTo(200).map((id) => writer.write(sampleOf(id))));
    await writer.finish();
    expect(await idsOf(out)).toEqual(upTo(200));
  });
});
