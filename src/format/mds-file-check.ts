import { checkSignal } from '../core/abort.js';
import { SpiralError } from '../core/errors.js';
import { readBytesMax } from '../core/limits.js';
import type { ObjectStore } from '../storage/store.js';
import { corrupt } from './corrupt.js';
import { cheapestHash, createHasher, mdsHashNames } from './mds-hash.js';
import type { MdsFileInfo } from './mds-index.js';

/**
 * The hash to check a file by: `wanted`, or without one the cheapest that the index has; undefined where it has none.
 *
 * @throws SpiralError `invalid_argument` where the index does not have the one that is wanted.
 */
export function hashFor(info: MdsFileInfo, wanted: string | undefined, where: string): string | undefined {
  if (wanted === undefined) return cheapestHash(Object.keys(info.hashes));
  if (Object.hasOwn(info.hashes, wanted)) return wanted;
  const known = Object.keys(info.hashes).filter((hash) => mdsHashNames.includes(hash));
  const remedy = known.length === 0 ? 'Leave `validateHash` out.' : `Give one of these: ${known.join(', ')}.`;
  throw new SpiralError('invalid_argument', `Expected the index of ${where} to have the hash ${wanted}. ${remedy}`, {
    details: { file: where, expected: wanted, found: known },
  });
}

/** Passes on `pieces`, and at their end checks size and hash `name` of them all. @throws SpiralError `corrupt_file`. */
export async function* checkedPieces(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  info: MdsFileInfo,
  name: string | undefined,
  where: string,
): AsyncGenerator<Uint8Array> {
  const hasher = name === undefined ? undefined : await createHasher(name);
  let size = 0;
  for await (const piece of pieces) {
    hasher?.update(piece);
    size += piece.length;
    yield piece;
  }
  if (size !== info.bytes) throw corrupt(where, `${info.bytes} bytes`, `${size}`);
  const found = hasher?.digest();
  if (found !== undefined && found !== info.hashes[name!]) {
    throw corrupt(where, `the ${name} hash ${info.hashes[name!]}`, found);
  }
}

/** Checks size and hash `name` of `bytes`, which are a whole file. @throws SpiralError `corrupt_file`. */
export async function checkWholeFile(
  bytes: Uint8Array,
  info: MdsFileInfo,
  name: string | undefined,
  where: string,
): Promise<void> {
  for await (const _ of checkedPieces([bytes], info, name, where));
}

/** Checks size and hash `name` of the file at `path`. @throws SpiralError `corrupt_file`, `not_found`, `cancelled`. */
export async function checkStoredFile(
  store: ObjectStore,
  path: string,
  info: MdsFileInfo,
  name: string | undefined,
  options: { readonly signal?: AbortSignal | undefined; readonly read?: (bytes: number) => void } = {},
): Promise<void> {
  const where = `${store.uri}/${path}`;
  const { size } = await store.getTail(path, 1, { signal: options.signal });
  if (size !== info.bytes) throw corrupt(where, `${info.bytes} bytes`, `${size}`);
  if (name === undefined) return;
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < size; at += readBytesMax) {
      checkSignal(options.signal, `The check of ${where}`);
      const bytes = await store.getRange(path, at, Math.min(readBytesMax, size - at), { signal: options.signal });
      options.read?.(bytes.length);
      yield bytes;
    }
  };
  for await (const _ of checkedPieces(pieces(), info, name, where));
}
