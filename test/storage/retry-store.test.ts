import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpiralError } from '../../src/core/errors.js';
import { memoryStore } from '../../src/storage/memory-store.js';
import type { RetryOptions } from '../../src/storage/retrier.js';
import { type ClaimingStore, retryStore } from '../../src/storage/retry-store.js';
import type { ObjectStore, StoreOptions } from '../../src/storage/store.js';
import { type FaultPlan, type FaultStore, faultStore } from '../../src/testing/fault-store.js';
import { bytesOf, pathsOf, streamed } from '../../src/testing/store-law-probes.js';
import { storeLaws } from '../../src/testing/store-laws.js';
import { refusal } from '../client/spiral-at.js';
import { lawRuns } from '../laws.js';

/** As many tries as it takes, without waiting. */
const eager: RetryOptions = { triesMax: 60, backoffMs: 0, savedMax: 1e6 };

/** `store` that fails before it does anything, and, but for streamed puts, after it did. */
function failing(
  store: ObjectStore,
  plan: Omit<FaultPlan, 'failShare' | 'loseAnswerShare'>,
  share: number,
): FaultStore {
  const { only = () => true } = plan;
  const losing = {
    ...plan,
    loseAnswerShare: share,
    only: (record: Parameters<typeof only>[0]) => record.op !== 'put' && only(record),
  };
  return faultStore(faultStore(store, losing), { ...plan, failShare: share });
}

/** `store` as it keeps tokens, and what tells them of `outer`, a wrapper of that. */
function claiming(store: ObjectStore, outer: (store: ObjectStore) => ObjectStore): ClaimingStore {
  const tokens = new Map<string, string>();
  const keeping = Object.assign(faultStore(store), {
    putIfAbsent: async (path: string, body: Uint8Array, options?: StoreOptions & { token?: string }) => {
      const made = await store.putIfAbsent(path, body, options);
      if (made && options?.token !== undefined) tokens.set(path, options.token);
      return made;
    },
  });
  const tokenOf = async (path: string): Promise<string | null | undefined> =>
    (await store.head(path)) === undefined ? undefined : (tokens.get(path) ?? null);
  return Object.assign(outer(keeping), { tokenOf });
}

describe('a retryStore over a store that fails every third time and loses every third answer', () => {
  let seed = 0;
  const make = async () => {
    const store = claiming(memoryStore(), (keeping) => failing(keeping, { seed: seed++ }, 1 / 3));
    return { store: retryStore(store, eager), dispose: async () => {} };
  };
  for (const law of storeLaws(make)) it(law.name, law.run);
});

/** `store` whose puts if absent fail as `outcomes` has it, the first ones first. */
function answering(store: ObjectStore, outcomes: ('lost' | 'failed' | 'late')[]): ObjectStore {
  const late: (() => Promise<unknown>)[] = [];
  const unavailable = (): SpiralError => new SpiralError('unavailable', 'The line is broken.');
  return new Proxy(store, {
    get: (target, key) => {
      const own = Reflect.get(target, key) as unknown;
      if (typeof own !== 'function') return own;
      if (key !== 'putIfAbsent') return own.bind(target);
      return async (...args: Parameters<ObjectStore['putIfAbsent']>): Promise<boolean> => {
        const outcome = outcomes.shift();
        // A request that was given up arrives just before the next one.
        for (const arrive of late.splice(0)) await arrive();
        if (outcome === undefined) return target.putIfAbsent(...args);
        if (outcome === 'lost') await target.putIfAbsent(...args);
        if (outcome === 'late') late.push(() => target.putIfAbsent(...args));
        throw unavailable();
      };
    },
  });
}

describe('a put if absent whose answer was lost', () => {
  const outcome = fc.constantFrom('lost' as const, 'failed' as const, 'late' as const);
  const racers = fc.array(fc.array(outcome, { maxLength: 4 }), { minLength: 1, maxLength: 5 });

  it('has one winner, whose bytes are there, however answers are lost, fail and come late', async () => {
    const property = fc.asyncProperty(racers, async (each) => {
      const store = memoryStore();
      const bodies = each.map((_, racer) => bytesOf(`racer-${racer}`, 50));
      const won = await Promise.all(
        each.map((outcomes, racer) =>
          retryStore(answering(store, [...outcomes]), eager).putIfAbsent('a', bodies[racer]!),
        ),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await store.get('a')).toEqual(bodies[won.indexOf(true)]);
    });
    await fc.assert(property, { numRuns: lawRuns(150, 5000) });
  });

  it('has one winner even where all put the same bytes, over a store that keeps tokens', async () => {
    const property = fc.asyncProperty(racers, async (each) => {
      let keeping: ObjectStore | undefined;
      const { tokenOf } = claiming(memoryStore(), (store) => {
        keeping = store;
        return store;
      });
      const puts = each.map((outcomes) =>
        retryStore(Object.assign(answering(keeping!, [...outcomes]), { tokenOf }), eager).putIfAbsent(
          'a',
          new Uint8Array(3),
        ),
      );
      expect((await Promise.all(puts)).filter(Boolean)).toHaveLength(1);
    });
    await fc.assert(property, { numRuns: lawRuns(150, 5000) });
  });
});

describe('a retryStore', () => {
  it('gives up after its tries, saying how many there were', async () => {
    const dead = faultStore(memoryStore(), { failShare: 1 });
    const error = await refusal(retryStore(dead, { triesMax: 4, backoffMs: 0 }).get('a'));
    expect(error).toMatchObject({ code: 'unavailable', details: { tries: 4 }, cause: { code: 'unavailable' } });
    expect(error.message).toContain('4 tries');
    expect(dead.operations).toBe(4);
  });

  it('begins no try after its time, and waits as long as the server asks', async () => {
    const dead = faultStore(memoryStore(), { failShare: 1 });
    await refusal(retryStore(dead, { retryMsMax: 0, backoffMs: 1000 }).get('a'));
    expect(dead.operations).toBe(1);
    const busy = answeringOnce(new SpiralError('unavailable', 'Busy.', { details: { retryAfterMs: 30_000 } }));
    expect(await refusal(retryStore(busy, { retryMsMax: 20_000, backoffMs: 0 }).get('a'))).toMatchObject({
      message: 'Busy.',
    });
  });

  it('asks a store that is down for little more than it is asked, and recovers', async () => {
    const store = memoryStore();
    await store.put('a', new Uint8Array(1));
    let down = true;
    const dead = faultStore(store, { failShare: 1, only: () => down });
    const retrying = retryStore(dead, { backoffMs: 0, savedMax: 10 });
    for (let turn = 0; turn < 50; turn++) await refusal(retrying.get('a'));
    expect(dead.operations).toBe(60);
    down = false;
    for (let turn = 0; turn < 10; turn++) await retrying.get('a');
    down = true;
    await refusal(retrying.get('a'));
    expect(dead.operations).toBe(60 + 10 + 8);
  });

  it('does not try again what no other try would mend', async () => {
    const store = faultStore(memoryStore());
    const retrying = retryStore(store);
    expect(await refusal(retrying.get('missing'))).toMatchObject({ code: 'not_found' });
    expect(store.operations).toBe(1);
  });

  it('tries a stream again as long as nothing was asked of it, and else passes the failure on', async () => {
    const store = memoryStore();
    let fails = 3;
    const begins: ObjectStore = Object.assign(faultStore(store), {
      put: async (...args: Parameters<ObjectStore['put']>) => {
        if (fails-- > 0) throw new SpiralError('unavailable', 'Not now.');
        await store.put(...args);
      },
    });
    await retryStore(begins, eager).put('a', streamed(bytesOf('a', 10)));
    expect(await store.get('a')).toEqual(bytesOf('a', 10));
    const lost = faultStore(store, { loseAnswerShare: 1 });
    const error = await refusal(retryStore(lost, eager).put('b', streamed(bytesOf('b', 10))));
    expect([error.code, error.details['tries'], lost.operations]).toEqual(['unavailable', undefined, 1]);
  });

  it('goes on with a list behind what it gave', async () => {
    const store = memoryStore();
    const paths = Array.from({ length: 40 }, (_, at) => `n/${String(at).padStart(3, '0')}`);
    for (const path of paths) await store.put(path, new Uint8Array(1));
    let [given, breaks] = [0, true];
    const breaking: ObjectStore = Object.assign(faultStore(store), {
      list: async function* (prefix: string) {
        for await (const info of store.list(prefix)) {
          if (++given % 7 === 0 && breaks) throw new SpiralError('unavailable', 'The page is lost.');
          yield info;
        }
      },
    });
    const seen: string[] = [];
    const error = await refusal(async () => {
      for await (const { path } of retryStore(breaking, { backoffMs: 0 }).list('n/')) seen.push(path);
    });
    expect(error.details['tries']).toBe(8);
    expect(seen).toEqual(paths.slice(0, seen.length));
    breaks = false;
    expect(await pathsOf(retryStore(breaking, { backoffMs: 0 }), 'n/')).toEqual(paths);
  });

  it('ends a wait by its signal, and when it is closed', async () => {
    const dead = (): ObjectStore => faultStore(memoryStore(), { failShare: 1 });
    const slow = { backoffMs: 1e6, backoffMsMax: 1e6, retryMsMax: 1e9 };
    const abort = new AbortController();
    const { signal } = abort;
    const store = retryStore(dead(), slow);
    const reads = Array.from({ length: 20 }, () => refusal(store.get('a', { signal })));
    const write = refusal(store.put('a', new Uint8Array(1), { signal }));
    await new Promise((passed) => setTimeout(passed, 20));
    abort.abort(new Error('enough'));
    for (const error of await Promise.all(reads)) expect(error.code).toBe('cancelled');
    expect((await write).code, 'whether it was written is not known').toBe('unavailable');
    const read = refusal(store.get('a'));
    await new Promise((passed) => setTimeout(passed, 20));
    await store.close();
    expect((await read).code).toBe('unavailable');
  });
});

/** A store that fails with `error`. */
function answeringOnce(error: SpiralError): ObjectStore {
  return Object.assign(memoryStore(), { get: () => Promise.reject(error) });
}
