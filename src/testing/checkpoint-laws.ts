import assert from 'node:assert/strict';
import type { SpiralDataLoader } from '../loader/data-loader.js';
import type { LoaderState } from '../loader/state.js';

/** A law of checkpoints, to be run as one test. */
export interface CheckpointLaw {
  readonly name: string;
  /** Rejects with an AssertionError where the law is broken. */
  run(): Promise<void>;
}

/** What {@link checkpointLaws} tests. */
export interface CheckpointSubject<T> {
  /** A new loader over the same source with the same settings; from `state` on where one is given. */
  makeLoader(state?: LoaderState): SpiralDataLoader<T> | Promise<SpiralDataLoader<T>>;
  /** What of a batch must be equal; default: the batch itself, by deep equality. */
  readonly contentOf?: (batch: T) => unknown;
  /** Batches to look at. Default 200; a longer run is looked at up to there. */
  readonly batchesMax?: number;
}

/**
 * The laws of resuming, for your own sources and transforms: run each as a test of your runner.
 *
 * ```ts
 * for (const law of checkpointLaws({ makeLoader: (state) => state ? scan.resumeDataLoader(state, options)
 *   : scan.toDataLoader(options) })) test(law.name, () => law.run());
 * ```
 */
export function checkpointLaws<T>(subject: CheckpointSubject<T>): CheckpointLaw[] {
  const { makeLoader, contentOf = (batch) => batch, batchesMax = 200 } = subject;
  const contents = (batches: readonly T[]): unknown[] => batches.map(contentOf);
  const uninterrupted = async (): Promise<unknown[]> => contents(await taken(await makeLoader(), batchesMax));
  return [
    {
      name: 'two loaders with the same settings give the same batches',
      run: async () => assert.deepEqual(await uninterrupted(), await uninterrupted()),
    },
    {
      name: 'a loader resumed at any batch gives the rest of the uninterrupted run',
      run: async () => {
        const expected = await uninterrupted();
        for (let cut = 0; cut <= expected.length; cut++) {
          const first = await makeLoader();
          const before = contents(await taken(first, cut));
          const state = throughJson(first.stateDict());
          const after = contents(await taken(await makeLoader(state), batchesMax - cut));
          assert.deepEqual([...before, ...after], expected, `resumed after ${cut} batches`);
        }
      },
    },
    {
      name: 'a resume of a resume is the uninterrupted run',
      run: async () => {
        const expected = await uninterrupted();
        const got: unknown[] = [];
        let loader = await makeLoader();
        for (const part of [1, 2, 3]) {
          got.push(...contents(await taken(loader, Math.min(part, expected.length - got.length))));
          loader = await makeLoader(throughJson(loader.stateDict()));
        }
        got.push(...contents(await taken(loader, expected.length - got.length)));
        assert.deepEqual(got, expected);
      },
    },
    {
      name: 'a state changes nothing by going through JSON and a loader',
      run: async () => {
        const loader = await makeLoader();
        await taken(loader, 2);
        const state = loader.stateDict();
        assert.deepEqual((await makeLoader(throughJson(state))).stateDict(), state);
      },
    },
  ];
}

async function taken<T>(loader: SpiralDataLoader<T>, most: number): Promise<T[]> {
  const batches: T[] = [];
  if (most === 0) return batches;
  for await (const batch of loader) if (batches.push(batch) === most) break;
  return batches;
}

function throughJson(state: LoaderState): LoaderState {
  return JSON.parse(JSON.stringify(state)) as LoaderState;
}
