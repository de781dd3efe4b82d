import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { upkeepChangesHeld } from '../../src/core/limits.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { ObjectStore } from '../../src/storage/store.js';
import type { Upkeep, UpkeepChange } from '../../src/table/upkeep-change.js';
import { UpkeepLog } from '../../src/table/upkeep-log.js';
import { faultStore } from '../../src/testing/fault-store.js';
import { lawRuns } from '../laws.js';

const tagOf = (name: string, version: number): UpkeepChange => {
  return { kind: 'tag', name, version, time: version, made: version, author: version % 2 === 0 ? 'me' : null };
};
const untagOf = (name: string): UpkeepChange => ({ kind: 'untag', name, made: 1, author: null });
const vacuumOf = (floor: number): UpkeepChange => {
  return { kind: 'vacuum', floor, floorTime: 10 * floor, made: 1, author: null };
};
const plain = ({ floor, floorTime, tags }: Upkeep): unknown => [floor, floorTime, ...tags.values()];

/** Makes changes: of four a tag that stays, one that is taken away again, and at last a floor. */
async function change(log: UpkeepLog, from: number, to: number): Promise<void> {
  const drawn = [
    (at: number) => tagOf(`stays ${at}`, at + 1),
    (at: number) => tagOf('goes', at + 1),
    () => untagOf('goes'),
    (at: number) => vacuumOf(at),
  ];
  for (let at = from; at < to; at++) await log.commit(() => drawn[at % 4]!(at));
}

async function sums(store: ObjectStore): Promise<string[]> {
  const paths: string[] = [];
  for await (const { path } of store.list('upkeep-sums/')) paths.push(path);
  return paths;
}

describe('tags and floors', () => {
  it('are known after any number of changes, of which a bounded number is in memory', async () => {
    const store = memoryStore();
    const [writer, reader] = [new UpkeepLog(store), new UpkeepLog(store)];
    for (let at = 0; at < 3 * upkeepChangesHeld; at += 16) {
      await change(writer, at, at + 16);
      expect(plain(await reader.now())).toEqual(plain(await writer.now()));
      for (const log of [writer, reader]) expect(await log.held()).toBeLessThan(2 * upkeepChangesHeld);
    }
    expect(await reader.held()).toBeGreaterThanOrEqual(upkeepChangesHeld);
    const { floor, tags } = await reader.now();
    expect([floor, tags.size]).toEqual([3 * upkeepChangesHeld - 1, (3 * upkeepChangesHeld) / 4]);
  });

  it('are read by who comes late without all changes that were ever made', async () => {
    const store = memoryStore();
    const writer = new UpkeepLog(store);
    await change(writer, 0, 1000);
    const counted = faultStore(store);
    const late = new UpkeepLog(counted);
    expect(plain(await late.now())).toEqual(plain(await writer.now()));
    expect(counted.operations).toBeLessThan(200);
    expect(await sums(store)).toHaveLength(2);
    await change(late, 1000, 1100);
    expect(plain(await writer.now())).toEqual(plain(await new UpkeepLog(store).now()));
  });

  it("are the same where sums are lost, damaged, or stand in each other's place", async () => {
    const store = memoryStore();
    const writer = new UpkeepLog(store);
    await change(writer, 0, 300);
    const known = plain(await writer.now());
    const [older, newer] = (await sums(store)) as [string, string];
    const damages: (() => Promise<unknown>)[] = [
      () => store.put(newer, new Uint8Array(40)),
      async () => store.put(newer, (await store.get(older)).slice()),
      async () => store.put(newer, (await store.get(newer)).subarray(0, 30)),
      () => store.delete(newer),
      () => store.delete(older),
    ];
    for (const damage of damages) {
      await damage();
      expect(plain(await new UpkeepLog(store).now())).toEqual(known);
    }
    for (const hint of ['300 128', '0 99999', 'no hint']) {
      await store.put('upkeep/hint', new TextEncoder().encode(hint));
      expect(plain(await new UpkeepLog(store).now())).toEqual(known);
    }
  });

  it('are the same for all clients whatever each does, over a store that fails', async () => {
    const actions = fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 90 })), { minLength: 3, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(actions, fc.nat(1000), async (work, seed) => {
        const store = memoryStore();
        const logs = Array.from({ length: 3 }, (_, at) => {
          const shaky = faultStore(store, { seed: seed + at, failShare: 0.02, loseAnswerShare: 0.02, keepLog: false });
          return new UpkeepLog(shaky);
        });
        const made: UpkeepChange[] = [];
        for (const [client, count] of work) {
          for (let at = 0; at < count; at++) {
            const next = tagOf(`tag ${made.length}`, made.length + 1);
            // A change that was not told to be there may be, once.
            const isThere = ({ tags }: Upkeep): boolean => tags.has(`tag ${made.length}`);
            for (let done = false; !done; ) {
              done = await logs[client]!.commit((upkeep) => (isThere(upkeep) ? undefined : next)).then(
                () => true,
                () => false,
              );
            }
            made.push(next);
          }
        }
        const names = made.map((each) => (each.kind === 'tag' ? each.name : ''));
        const late = new UpkeepLog(store);
        for (const log of [late, new UpkeepLog(store)]) expect([...(await log.now()).tags.keys()]).toEqual(names);
      }),
      { numRuns: lawRuns(8, 200) },
    );
  });
});
