import { SpiralError, shown } from '../../core/errors.js';
import { openStore } from '../../storage/open-store.js';
import type { ObjectStore, PutBody } from '../../storage/store.js';

/** Where a data set is written: a folder or the URI of a store; or a local folder and a remote one. */
export type WriterOut = string | readonly [local: string, remote: string];

/**
 * The stores that `out` names, the one that counts last. With `keepLocal` a pair is written to both; without it to the
 * remote one alone. Touches nothing. @throws SpiralError `invalid_argument`, and as `openStore`.
 */
export function openTarget(out: unknown, keepLocal: boolean): WriterTarget {
  const isPair = Array.isArray(out) && out.length === 2;
  const given: unknown[] = isPair ? (out as unknown[]) : [out];
  if (given.some((uri) => typeof uri !== 'string' || uri === '')) {
    throw new SpiralError(
      'invalid_argument',
      `Expected \`out\` to be a folder, the URI of a store, or [local, remote], got ${shown(out)}.`,
      { details: { name: 'out', found: shown(out) } },
    );
  }
  const stores = (given as string[]).map((uri) => openStore(uri));
  if (isPair && stores[0]!.uri === stores[1]!.uri) {
    throw new SpiralError('invalid_argument', `Expected two places in \`out\`, got ${shown(given[0])} twice.`, {
      details: { name: 'out', found: given },
    });
  }
  return new WriterTarget(isPair && !keepLocal ? stores.slice(1) : stores);
}

/** The stores that a data set is written to: one, or a local copy and the other. */
export class WriterTarget {
  readonly #stores: readonly ObjectStore[];

  /** The last of `stores` is the one whose files count. */
  constructor(stores: readonly ObjectStore[]) {
    this.#stores = stores;
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
  async put(path: string, pieces: readonly Uint8Array[], signal?: AbortSignal): Promise<void> {
    await allSettled(this.#stores.map((store) => store.put(path, bodyOf(pieces), { signal })));
  }

  /** Deletes an object of all stores. */
  async delete(path: string, signal?: AbortSignal): Promise<void> {
    await allSettled(this.#stores.map((store) => store.delete(path, { signal })));
  }

  async close(): Promise<void> {
    await allSettled(this.#stores.map((store) => store.close()));
  }
}

/** Bytes that a system writes at once for certain: calls with 2 GiB and more are cut short, and not all say so. */
const wholeBytesMax = 1024 * 1024 * 1024;
const streamedBytes = 64 * 1024 * 1024;

/** `pieces` as they are, or one part after the other where they are many bytes. */
function bodyOf(pieces: readonly Uint8Array[]): PutBody {
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  return bytes <= wholeBytesMax ? pieces : parts(pieces);
}

async function* parts(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array, void> {
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += streamedBytes) yield piece.subarray(at, at + streamedBytes);
  }
}

/** Waits for all of `work`, also where some of it fails: what a put still reads must not change. @throws the first failure. */
async function allSettled(work: readonly Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(work);
  const failure = ends.find((end) => end.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}
