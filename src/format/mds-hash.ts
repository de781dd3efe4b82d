import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type * as HashWasm from 'hash-wasm';

/** A hash that is computed piece by piece. */
export interface MdsHasher {
  update(bytes: Uint8Array): void;
  /** Hexadecimal. */
  digest(): string;
}

/** Names as Python's hashlib has them, to OpenSSL's. */
const ofCrypto: Readonly<Record<string, string>> = {
  blake2b: 'blake2b512',
  blake2s: 'blake2s256',
  md5: 'md5',
  'md5-sha1': 'md5-sha1',
  ripemd160: 'ripemd160',
  sha1: 'sha1',
  sha224: 'sha224',
  sha256: 'sha256',
  sha384: 'sha384',
  sha3_224: 'sha3-224',
  sha3_256: 'sha3-256',
  sha3_384: 'sha3-384',
  sha3_512: 'sha3-512',
  sha512: 'sha512',
  sha512_224: 'sha512-224',
  sha512_256: 'sha512-256',
  sm3: 'sm3',
};

/** Of hash-wasm, cheapest first: each one's file, as the one that holds all takes a thread thirty milliseconds to load. */
const ofXxHash = {
  xxh3_64: ['xxhash3', 'createXXHash3'],
  xxh64: ['xxhash64', 'createXXHash64'],
  xxh3_128: ['xxhash128', 'createXXHash128'],
  xxh128: ['xxhash128', 'createXXHash128'],
  xxh32: ['xxhash32', 'createXXHash32'],
} as const;

const require = createRequire(import.meta.url);

/** Every hash that is known, by the names that the format has for them. */
export const mdsHashNames: readonly string[] = [...Object.keys(ofXxHash), ...Object.keys(ofCrypto)].sort();

/** The hash of `names` that costs least; undefined where none is known. */
export function cheapestHash(names: readonly string[]): string | undefined {
  return [...Object.keys(ofXxHash), 'sha1', ...Object.keys(ofCrypto)].find((name) => names.includes(name));
}

/** A hasher for one of {@link mdsHashNames}. */
export async function createHasher(name: string): Promise<MdsHasher> {
  const known = ofCrypto[name];
  if (known !== undefined) {
    const hash = createHash(known);
    return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') };
  }
  const [file, make] = ofXxHash[name as keyof typeof ofXxHash];
  const hash = await (require(`hash-wasm/dist/${file}.umd.min.js`) as typeof HashWasm)[make]();
  hash.init();
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') };
}
