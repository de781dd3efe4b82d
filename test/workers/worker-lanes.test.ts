import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { randomStream } from '../../src/core/random.js';
import { type LaneLimits, type LaneTask, WorkerLanes } from '../../src/workers/worker-lanes.js';
import { lawRuns } from '../laws.js';

interface Result {
  readonly value: number;
  readonly threadId: number;
  readonly bytes: ArrayBuffer;
}

/** What the worker of the tests can be told to do. */
interface Order {
  readonly value?: number;
  readonly exit?: number;
  readonly exitLater?: boolean;
  readonly spin?: boolean;
  readonly forget?: boolean;
  readonly outside?: string;
  readonly error?: string;
  readonly hold?: number;
  readonly wait?: number;
  readonly buffer?: ArrayBuffer;
}

const script = fileURLToPath(new URL('./lane-worker.mjs', import.meta.url));
const open: WorkerLanes<Result>[] = [];
/** Tasks that run now, the most that ran at once, and all that began. */
let counters: Int32Array;

function lanesOf(limits: Partial<LaneLimits> = {}): WorkerLanes<Result> {
  const shared = new SharedArrayBuffer(12);
  counters = new Int32Array(shared);
  const lanes = new WorkerLanes<Result>(
    { script, workerData: shared, name: 'test' },
    { workers: 2, timeoutMs: 60_000, memoryBytesMax: 2 ** 40, remedies: { died: '', late: '' }, ...limits },
  );
  open.push(lanes);
  return lanes;
}

/** A task that is what `orders` say, one entry a try; the last for all tries that follow. */
function task(orders: readonly Order[], signal = new AbortController().signal): LaneTask {
  let tries = 0;
  return {
    signal,
    message: () => {
      const order = orders[Math.min(tries++, orders.length - 1)]!;
      return { body: order, transfer: order.buffer === undefined ? [] : [order.buffer] };
    },
    subject: () => ({ text: 'a task of the test', details: { task: 'test' } }),
  };
}

function run(lanes: WorkerLanes<Result>, orders: readonly Order[], signal?: AbortSignal) {
  return lanes.run(task(orders, signal));
}

/** Runs tasks that are sent in one message: the first orders of each in it, those that follow alone. */
function runTogether(lanes: WorkerLanes<Result>, ...all: readonly (readonly Order[])[]) {
  const { signal } = new AbortController();
  const tasks = all.map((orders) => task(orders.length === 1 ? orders : orders.slice(1), signal));
  let tries = 0;
  return lanes.runTogether(tasks, () => {
    if (tries++ > 0) throw new Error('What was sent together is sent once.');
    return { body: all.map(([first]) => first), transfer: [] };
  });
}

/** What is open now and was not then. */
function openedSince(before: readonly string[]): string[] {
  const known = [...before];
  return process.getActiveResourcesInfo().filter((resource) => {
    const at = known.indexOf(resource);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}

afterEach(async () => {
  await Promise.all(open.splice(0).map((lanes) => lanes.close()));
});

describe('worker lanes', () => {
  test('run every task, each worker one at a time, and hand buffers over both ways', async () => {
    const lanes = lanesOf({ workers: 3 });
    const threads = new Set<number>();
    // On a busy machine the first tasks are done before the last worker has started, and seldom all three run at once.
    for (let round = 0; round < 500 && (threads.size < 3 || counters[1]! < 3); round++) {
      const results = await Promise.all(
        Array.from({ length: 40 }, (_, value) =>
          run(lanes, [{ value, wait: 3, buffer: new ArrayBuffer(100 + value) }]),
        ),
      );
      expect(results.map(({ value, bytes }) => [value, bytes.byteLength])).toEqual(
        Array.from({ length: 40 }, (_, value) => [value, 100 + value]),
      );
      for (const { threadId } of results) threads.add(threadId);
    }
    expect(threads.size).toBe(3);
    expect(counters[1]).toBe(3);
  });

  test('start no worker before a task needs it', async () => {
    const before = process.getActiveResourcesInfo();
    const lanes = lanesOf({ workers: 8 });
    expect(openedSince(before)).toEqual([]);
    const results = [await run(lanes, [{ value: 1 }]), await run(lanes, [{ value: 2 }])];
    expect(new Set(results.map(({ threadId }) => threadId)).size).toBe(1);
  });

  test('answer every task though workers die at random, each task once more at most', async () => {
    const stream = randomStream('lanes');
    for (let round = lawRuns(2, 20); round > 0; round--) {
      const lanes = lanesOf({ workers: 1 + stream.below(4) });
      const deaths: Order[] = [{ exit: 1 }, { outside: 'boom' }, { exit: 0 }];
      const tasks = Array.from({ length: 24 }, (_, value): Order[] => {
        const order: Order = { value, wait: stream.below(4), exitLater: stream.below(8) === 0 };
        return stream.below(4) === 0 ? [deaths[stream.below(3)]!, { value }] : [order, { value }];
      });
      const results = await Promise.all(tasks.map((orders) => run(lanes, orders)));
      expect(results.map(({ value }) => value)).toEqual(tasks.map((_, value) => value));
    }
  });

  test('answer every task of those that are sent together, whichever of them a worker dies of', async () => {
    const stream = randomStream('lanes together');
    const deaths: Order[] = [{ exit: 1 }, { outside: 'boom' }, { exit: 0 }];
    for (let round = lawRuns(2, 20); round > 0; round--) {
      const lanes = lanesOf({ workers: 1 + stream.below(3) });
      const parcels = Array.from({ length: 8 }, (_, parcel) =>
        Array.from({ length: 1 + stream.below(5) }, (_, place): Order[] => {
          const order: Order = { value: 10 * parcel + place, wait: stream.below(3) };
          return stream.below(5) === 0 ? [deaths[stream.below(3)]!, order] : [order];
        }),
      );
      const results = await Promise.all(parcels.flatMap((orders) => runTogether(lanes, ...orders)));
      expect(results.map(({ value }) => value)).toEqual(parcels.flat().map((orders) => orders.at(-1)!.value));
    }
  });

  test('blame of tasks that are sent together the one that the worker was at, and run the others again', async () => {
    for (const bad of [{ exit: 3 }, { forget: true }, { spin: true }] satisfies Order[]) {
      const lanes = lanesOf({ workers: 1, timeoutMs: 700 });
      const [first, second, third, fourth] = runTogether(lanes, [{ value: 0 }], [{ value: 1 }], [bad], [{ value: 3 }]);
      const ended = Promise.allSettled([third!]);
      expect((await Promise.all([first!, second!, fourth!])).map(({ value }) => value)).toEqual([0, 1, 3]);
      const code = 'exit' in bad ? 'worker_died' : 'transform_timeout';
      expect(await ended).toMatchObject([{ status: 'rejected', reason: { code } }]);
      // Tried together and once more alone.
      expect(Atomics.load(counters, 2)).toBeLessThanOrEqual(3 + 3 + 1);
    }
  });

  test('pass on what some threw of tasks that are sent together, and what came of the others', async () => {
    const lanes = lanesOf({ workers: 1, memoryBytesMax: 100 * 2 ** 20 });
    const fat = { value: 2, hold: 120 * 2 ** 20 };
    const ends = await Promise.allSettled(
      runTogether(lanes, [{ value: 0 }], [{ error: 'out of range' }], [fat], [{ value: 3 }]),
    );
    expect(ends).toMatchObject([
      { value: { value: 0 } },
      { reason: { name: 'RangeError', message: 'out of range' } },
      { value: { value: 2 } },
      { value: { value: 3 } },
    ]);
    const threads = ends.map((end) => (end.status === 'fulfilled' ? end.value.threadId : undefined));
    expect([threads[2] === threads[0], threads[3] === threads[0]]).toEqual([true, false]);
    expect(counters[2]).toBe(4);
  });

  test('answer a task though one that was sent with it waits for ever', async () => {
    const lanes = lanesOf({ workers: 1 });
    const [first, second] = runTogether(lanes, [{ value: 1 }], [{ forget: true }]);
    const ended = Promise.allSettled([second!]);
    expect((await first!).value).toBe(1);
    await lanes.close();
    expect(await ended).toMatchObject([{ reason: { code: 'closed' } }]);
  });

  test('answer a task that took long before the one that was sent with it is done', async () => {
    const lanes = lanesOf({ workers: 1 });
    const [first, second] = runTogether(lanes, [{ value: 1, wait: 50 }], [{ spin: true }]);
    const ended = Promise.allSettled([second!]);
    expect((await first!).value).toBe(1);
    // Not of a second try, behind the time limit.
    expect(Atomics.load(counters, 2)).toBeLessThanOrEqual(2);
    await lanes.close();
    expect(await ended).toMatchObject([{ reason: { code: 'closed' } }]);
  });

  test('give a task up that its worker died of twice, with the cause, and go on with the others', async () => {
    const lanes = lanesOf();
    const dying = [run(lanes, [{ exit: 3 }]), run(lanes, [{ outside: 'from a timer' }])];
    const others = Array.from({ length: 6 }, (_, value) => run(lanes, [{ value }]));
    const [exited, thrown] = await Promise.allSettled(dying);
    expect(exited).toMatchObject({
      reason: {
        code: 'worker_died',
        details: { task: 'test' },
        message: expect.stringContaining('a task of the test'),
      },
    });
    expect((exited as PromiseRejectedResult).reason.cause.message).toContain('exit code 3');
    expect((thrown as PromiseRejectedResult).reason.cause).toMatchObject({ message: 'from a timer' });
    expect((await Promise.all(others)).map(({ value }) => value)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(counters[2]).toBe(2 + 2 + 6);
  });

  test('end a worker that does not answer in time, whether it computes or waits', async () => {
    const lanes = lanesOf({ timeoutMs: 700 });
    const once = [run(lanes, [{ spin: true }, { value: 1 }]), run(lanes, [{ forget: true }, { value: 2 }])];
    expect((await Promise.all(once)).map(({ value }) => value)).toEqual([1, 2]);
    await expect(run(lanes, [{ spin: true }])).rejects.toMatchObject({
      code: 'transform_timeout',
      details: { task: 'test', timeoutMs: 700 },
    });
    expect((await run(lanes, [{ value: 3 }])).value).toBe(3);
  });

  test('pass on what the worker threw, with its name, stack and cause, without another try', async () => {
    const lanes = lanesOf();
    const error = await run(lanes, [{ error: 'out of range' }]).catch((thrown) => thrown as Error);
    expect(error).toMatchObject({ name: 'RangeError', message: 'out of range', cause: { message: 'beneath' } });
    expect((error as Error).stack).toContain('lane-worker.mjs');
    expect(counters[2]).toBe(1);
  });

  test('replace a worker that holds more than its bytes, between tasks, and no other', async () => {
    const lanes = lanesOf({ workers: 1, memoryBytesMax: 100 * 2 ** 20 });
    const first = await run(lanes, [{ value: 1 }]);
    const fat = await run(lanes, [{ value: 2, hold: 120 * 2 ** 20 }]);
    const after = await run(lanes, [{ value: 3 }]);
    expect(fat.threadId).toBe(first.threadId);
    expect(after.threadId).not.toBe(first.threadId);
    expect((await run(lanes, [{ value: 4 }])).threadId).toBe(after.threadId);
  });

  test('do not begin a task that waits here when its signal aborts', async () => {
    const lanes = lanesOf({ workers: 1 });
    const abort = new AbortController();
    const handed = [run(lanes, [{ value: 1, wait: 20 }]), run(lanes, [{ value: 2 }])];
    const third = expect(run(lanes, [{ value: 3 }], abort.signal)).rejects.toMatchObject({ code: 'cancelled' });
    abort.abort(new Error('enough'));
    expect((await Promise.all(handed)).map(({ value }) => value)).toEqual([1, 2]);
    await third;
    expect(counters[2]).toBe(2);
  });

  test('run a task elsewhere that a worker had at hand when it died, hung or grew too fat, and do not blame it', async () => {
    for (const first of [{ exit: 1 }, { spin: true }, { value: 0, hold: 120 * 2 ** 20 }] satisfies Order[]) {
      const lanes = lanesOf({ workers: 1, timeoutMs: 700, memoryBytesMax: 100 * 2 ** 20 });
      await run(lanes, [{ value: 1 }]);
      const results = [run(lanes, [first, { value: 0 }]), run(lanes, [{ value: 2 }])];
      expect((await Promise.all(results)).map(({ value }) => value)).toEqual([0, 2]);
      const tries = 'hold' in first ? 1 : 2;
      expect(counters[2]).toBe(1 + tries + 1);
    }
  });

  test('reject what has not ended when they are closed, and leave nothing behind', async () => {
    const before = process.getActiveResourcesInfo();
    const lanes = lanesOf();
    const idle = run(lanes, [{ value: 1 }]);
    await idle;
    const work = [{ spin: true }, { forget: true }, { value: 3 }].map((order) => run(lanes, [order]));
    const ended = Promise.allSettled(work);
    await new Promise((resolve) => setTimeout(resolve, 30));
    await Promise.all([lanes.close(), lanes.close()]);
    for (const end of await ended) expect(end).toMatchObject({ status: 'rejected', reason: { code: 'closed' } });
    await expect(run(lanes, [{ value: 4 }])).rejects.toMatchObject({ code: 'closed' });
    expect(openedSince(before)).toEqual([]);
  });

  test('say why a worker that cannot start never answers', async () => {
    const lanes = new WorkerLanes<Result>(
      { script: `${script}.missing`, workerData: undefined, name: 'test' },
      { workers: 1, timeoutMs: 60_000, memoryBytesMax: 2 ** 40, remedies: { died: '', late: '' } },
    );
    await expect(run(lanes, [{ value: 1 }])).rejects.toMatchObject({
      code: 'worker_died',
      cause: { message: expect.stringContaining('lane-worker.mjs.missing') },
    });
  });
});
