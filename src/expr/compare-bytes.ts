import type { ByteView } from './byte-view.js';

/**
 * Compares text or binary byte by byte, which for UTF-8 is the order of code points. A byte of truth a row: `hit` where the
 * relation holds, else `miss`. `step` 0 stands for a side of one value for all rows.
 */
export function compareBytes(
  relation: 'eq' | 'lt',
  left: ByteView,
  leftStep: number,
  right: ByteView,
  rightStep: number,
  hit: number,
  miss: number,
  truth: Uint8Array,
): void {
  const rows = truth.length;
  const [a, b] = [left.bytes, right.bytes];
  const [p, q] = [left.offsets, right.offsets];
  if (relation === 'eq') {
    for (let row = 0; row < rows; row++) {
      let i = p[row * leftStep]!;
      const end = p[row * leftStep + 1]!;
      let j = q[row * rightStep]!;
      let isSame = end - i === q[row * rightStep + 1]! - j;
      while (isSame && i < end) isSame = a[i++]! === b[j++]!;
      truth[row] = isSame ? hit : miss;
    }
    return;
  }
  for (let row = 0; row < rows; row++) {
    let i = p[row * leftStep]!;
    const end = p[row * leftStep + 1]!;
    let j = q[row * rightStep]!;
    const stop = q[row * rightStep + 1]!;
    while (i < end && j < stop && a[i]! === b[j]!) {
      i++;
      j++;
    }
    truth[row] = (i === end ? j < stop : j < stop && a[i]! < b[j]!) ? hit : miss;
  }
}

/** Orders two byte strings: below 0, 0 or above 0. */
export function orderBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}
