import { SpiralError, shown } from '../core/errors.js';
import { openStore } from '../storage/open-store.js';
import type { ObjectStore, PutBody } from '../storage/store.js';

/** Where a data set is written: a folder or the URI of a store; or a local folder and a remote one. */
export type WriterOut = string | readonly [local: string, remote: string];

/** The stores that a data set is written to: one, or a local copy and the other. */
export class WriterTarget {
  readonly #stores: readonly ObjectStore[];

  /**
   * Touches nothing. With `keepLocal` a pair is written to both; without it to the remote one alone.
   *
   * @throws SpiralError `invalid_argument`, and as `openStore`.
   */
  constructor(out: unknown, keepLocal: boolean) {
    const isPair = Array.isArray(out) && out.length === 2;
    const uris: unknown[] = !isPair ? [out] : keepLocal ? [...out] : [out[1]];
    const odd = (isPair ? (out as unknown[]) : uris).find((uri) => typeof uri !== 'string' || uri === '');
    if (odd !== undefined) {
      throw new SpiralError(
        'invalid_argument',
        `Expected \`out\` to be a folder, the URI of a store, or [local, remote], got ${shown(out)}.`,
        { details: { name: 'out', found: shown(out) } },
      );
    }
    this.#stores = (uris as string[]).map((uri) => openStore(uri));
    if (new Set(this.#stores.map(({ uri }) => uri)).size < uris.length) {
      throw new SpiralError('invalid_argument', `Expected two places in \`out\`, got ${shown(uris[0])} twice.`, {
        details: { name: 'out', found: uris },
      });
    }
  }

  /** The store whose files count. */
  get main(): ObjectStore {
    return this.#stores.at(-1)!;
  }

  get uri(): string {
    return this.main.uri;
  }

  /** Every object of each store, by path, with its bytes. */
  objects(signal: AbortSignal | undefined): Promise<Map<string, number>[]> {
    return Promise.all(
      this.#stores.map(async (store) => {
        const found = new Map<string, number>();
        for await (const { path, size } of store.list('', { signal })) found.set(path, size);
        return found;
      }),
    );
  }

  /** Writes an object to all stores: whole or, on failure, perhaps to some. */
  async put(path: string, body: PutBody, signal?: AbortSignal): Promise<void> {
    await allSettled(this.#stores.map((store) => store.put(path, body, { signal })));
  }

  /** Deletes an object of all stores. */
  async delete(path: string, signal?: AbortSignal): Promise<void> {
    await allSettled(this.#stores.map((store) => store.delete(path, { signal })));
  }

  async close(): Promise<void> {
    await allSettled(this.#stores.map((store) => store.close()));
  }
}

/** Waits for all of `work`, also where some of it fails: what a put still reads must not change. @throws the first failure. */
async function allSettled(work: readonly Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(work);
  const failure = ends.find((end) => end.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}
