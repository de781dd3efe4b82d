import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ShardCache } from '../../../src/streaming/cache/shard-cache.js';
import { refusal } from '../../client/spiral-at.js';
import { temporaryFolder } from '../../storage/temporary-folder.js';
import { ByteShards } from './byte-shards.js';

/** Shards whose files have these names. */
class NamedShards extends ByteShards {
  readonly #names: readonly string[];

  constructor(names: readonly string[], identity: string) {
    super(
      names.map(() => 8),
      undefined,
      identity,
    );
    this.#names = names;
  }

  override names(shard: number): string[] {
    return [this.#names[shard]!];
  }
}

/** A folder `cache`, and beside it one of others with a file and a folder in it. */
async function withOthers(): Promise<{ path: string; others: string; kept(): Promise<string[]> } & AsyncDisposable> {
  const folder = await temporaryFolder();
  const [path, others] = [join(folder.path, 'cache'), join(folder.path, 'others')];
  await mkdir(join(others, 'work.0'), { recursive: true });
  await writeFile(join(others, 'work.0', 'a'), 'theirs');
  await writeFile(join(others, 'file'), 'theirs');
  await mkdir(path);
  return {
    path,
    others,
    kept: async () => {
      expect(await readFile(join(others, 'file'), 'utf8')).toBe('theirs');
      return (await readdir(others, { recursive: true })).sort();
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

const untouched = ['file', 'work.0', 'work.0/a'];

describe('a cache folder in which others put links', () => {
  it.each([
    ['its own folder', '.spiral-cache', ''],
    ['its downloads', '.spiral-cache/downloads', ''],
    ['its members', '.spiral-cache/members', ''],
    ['its ledger', '.spiral-cache/ledger', 'file'],
    ['its names', '.spiral-cache/names', 'file'],
    ['a folder of shards', 'data', ''],
  ])('in place of %s is refused, and nothing elsewhere is written or deleted', async (_, name, target) => {
    await using folder = await withOthers();
    if (name.includes('/')) await mkdir(join(folder.path, '.spiral-cache'));
    await symlink(join(folder.others, target), join(folder.path, name));
    const cache = new ShardCache(folder.path, { source: new ByteShards([8, 8]) });
    expect(['path_outside_root', 'invalid_argument']).toContain((await refusal(cache.pin(0))).code);
    await cache.close();
    expect(await folder.kept()).toEqual(untouched);
  });

  it('in place of a shard is refused, and its target left alone', async () => {
    await using folder = await withOthers();
    await symlink(join(folder.others, 'file'), join(folder.path, 'shard'));
    const cache = new ShardCache(folder.path, { source: new NamedShards(['shard'], 'one') });
    expect((await refusal(cache.pin(0))).code).toBe('path_outside_root');
    await cache.evict(0);
    await cache.close();
    expect(await folder.kept()).toEqual(untouched);
  });
});

describe('a cache folder of other data', () => {
  it('is cleared of the names in its note, whatever signs are in them, and of nothing outside of it', async () => {
    await using folder = await withOthers();
    const names = ['a', 'x\n../others/file', 'x\n/etc/passwd', '"q"', 'plain/b'];
    const source = new NamedShards(names, 'one');
    const first = new ShardCache(folder.path, { source });
    for (const [shard] of names.entries()) {
      const pin = await refusedOrPinned(first, shard);
      pin?.release();
    }
    await first.close();
    const second = new ShardCache(folder.path, { source: new NamedShards(['other'], 'two') });
    await refusedOrPinned(second, 0);
    await second.close();
    expect(await folder.kept()).toEqual(untouched);
    expect((await readdir(folder.path)).sort()).not.toContain('a');
  });

  it('of an earlier release is cleared of the names in its note, and not of those that lead out', async () => {
    await using folder = await withOthers();
    await mkdir(join(folder.path, '.spiral-cache'));
    await writeFile(join(folder.path, '.spiral-cache', 'ledger'), Buffer.alloc(64, 1));
    await writeFile(join(folder.path, 'old'), 'old');
    const open = async (names: string): Promise<void> => {
      await writeFile(join(folder.path, '.spiral-cache', 'ledger'), Buffer.alloc(64, 1));
      await writeFile(join(folder.path, '.spiral-cache', 'names'), names);
      const cache = new ShardCache(folder.path, { source: new ByteShards([8]) });
      (await cache.pin(0)).release();
      await cache.close();
    };
    await open('old\n../others/file');
    expect(await folder.kept()).toEqual(untouched);
    await open('old\nmore');
    expect(await readdir(folder.path)).not.toContain('old');
  });
});

/** The shard, pinned; undefined where its name is none that a file may bear. */
async function refusedOrPinned(cache: ShardCache, shard: number): Promise<{ release(): void } | undefined> {
  try {
    return await cache.pin(shard);
  } catch {
    return undefined;
  }
}
