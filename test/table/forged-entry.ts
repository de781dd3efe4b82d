import { Packr } from 'msgpackr';
import { checksum } from '../../src/arrow/checksum.js';

const packr = new Packr({ useRecords: false });

export function packed(entry: unknown): Uint8Array {
  return packr.pack(entry);
}

/** The file of a log entry with a good checksum, whatever is in it. */
export function forged(entry: unknown): Uint8Array {
  return framed(packed(entry));
}

/** `body` as the body of a log entry. */
export function framed(body: Uint8Array, layout = 1): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x474c5053, true);
  view.setUint32(4, layout, true);
  bytes.set(body, 12);
  view.setUint32(8, checksum(body, checksum(bytes.subarray(0, 8))), true);
  return bytes;
}
