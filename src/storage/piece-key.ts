import { createHash } from 'node:crypto';

/** What a piece holds: bytes of the object from `number` pieces on, its last `number` bytes behind its size, or its size. */
export type PieceKind = 'piece' | 'tail' | 'size';

/** Bytes of the size of an object, a float64. */
export const sizeBytes = 8;

const kinds: readonly PieceKind[] = ['piece', 'tail', 'size'];

/** One version of one object: what is kept under one name is never that of another. */
export class CachedObject {
  /** SHA-256 of place, path and version. */
  readonly digest: Buffer;
  /** The digest as text. */
  readonly name: string;

  /** @param version the object's etag; '' for one that is never replaced. */
  constructor(place: string, path: string, version: string) {
    this.digest = createHash('sha256')
      .update(JSON.stringify([place, path, version]))
      .digest();
    this.name = this.digest.toString('base64');
  }
}

/** Names a piece of an object among all pieces that a cache may hold. */
export class PieceKey {
  readonly object: CachedObject;
  readonly kind: PieceKind;
  readonly number: number;
  /** Bytes that it has; undefined where only the cache knows. */
  readonly length: number | undefined;

  constructor(object: CachedObject, kind: PieceKind, number: number, length?: number) {
    this.object = object;
    this.kind = kind;
    this.number = number;
    this.length = length;
  }

  /** Bytes that it has at most. */
  get lengthMax(): number {
    return this.length ?? (this.kind === 'tail' ? sizeBytes + this.number : sizeBytes);
  }

  get text(): string {
    return `${this.object.name} ${this.kind} ${this.number}`;
  }

  get kindNumber(): number {
    return kinds.indexOf(this.kind);
  }

  /** 32 bits that differ from key to key; `which` (0 to 7) tells several such numbers apart. */
  mixed(which: number): number {
    let bits = this.object.digest.readUInt32LE(4 * which);
    bits ^= Math.imul(this.number + 1, 0x9e3779b1) ^ Math.imul(this.kindNumber + 1, 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 16), 0x7feb352d);
    bits = Math.imul(bits ^ (bits >>> 15), 0x846ca68b);
    return (bits ^ (bits >>> 16)) >>> 0;
  }
}
