import { RefusedValue } from './refused-value.js';

/** Bytes at most: what 32-bit offsets reach, and the largest buffer that can be handed to a thread. */
export const growingBytesMax: number = 2 ** 32 - 1;

/** Bytes that are appended one after the other, into memory that is doubled where it is too small. */
export class GrowingBytes {
  bytes: Buffer;
  view: DataView;
  /** Bytes that were appended. Those from here on may be written to once they are reserved. */
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacity);
    this.view = viewOf(this.bytes);
  }

  /** Makes room for `count` bytes, which become part of these, and gives where they begin. @throws RefusedValue `limit_exceeded`. */
  append(count: number): number {
    const at = this.length;
    this.reserve(count);
    this.length = at + count;
    return at;
  }

  /** Makes room for `count` bytes behind those that there are. @throws RefusedValue `limit_exceeded` where no buffer holds as many. */
  reserve(count: number): void {
    const wanted = this.length + count;
    if (wanted <= this.bytes.length) return;
    if (wanted > growingBytesMax) {
      throw new RefusedValue('values within 4 GiB', `${count} bytes more`, 'limit_exceeded');
    }
    const grown = Buffer.allocUnsafeSlow(Math.min(growingBytesMax, Math.max(wanted, 2 * this.bytes.length)));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
    this.view = viewOf(grown);
  }

  /** Appends a copy of `bytes`. */
  add(bytes: Uint8Array): void {
    const at = this.append(bytes.length);
    this.bytes.set(bytes, at);
  }

  /** Appends `text` in UTF-8. */
  addText(text: string): void {
    const { length } = text;
    // Three bytes are the most that a code unit becomes; of long text it is worth knowing better.
    this.reserve(length < longText ? 3 * length : Buffer.byteLength(text));
    const { bytes } = this;
    let at = this.length;
    // A call into the system costs as much as a few dozen characters.
    for (let index = 0; length <= shortText && index < length; index++) {
      const unit = text.charCodeAt(index);
      if (unit > 0x7f) break;
      bytes[at++] = unit;
    }
    this.length = at - this.length === length ? at : this.length + bytes.write(text, this.length);
  }
}

const shortText = 24;
const longText = 64 * 1024;

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
