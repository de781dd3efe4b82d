/** The length that a raw snappy block gives at its start; NaN where it gives none. */
export function snappySize(bytes: Uint8Array): number {
  let [size, at] = [0, 0];
  for (; at < 5 && at < bytes.length; at++) {
    size += (bytes[at]! & 0x7f) * 2 ** (7 * at);
    if (bytes[at]! < 0x80) return size;
  }
  return Number.NaN;
}
