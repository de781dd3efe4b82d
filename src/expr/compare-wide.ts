import type { WideView } from './number-view.js';

/**
 * Compares whole numbers of 64 bits, signed with unsigned ones too, by halves: a byte of truth a row, `hit` where the
 * relation holds, else `miss`. `step` 0 stands for a side of one value for all rows.
 */
export function compareWide(
  relation: 'eq' | 'lt',
  left: WideView,
  leftStep: number,
  right: WideView,
  rightStep: number,
  hit: number,
  miss: number,
  truth: Uint8Array,
): void {
  const rows = truth.length;
  const flip = hit ^ miss;
  const [a, b] = [left.low, right.low];
  const [x, y] = [left.high, right.high];
  if (relation === 'eq') {
    // Of one signed and one unsigned, equal words with the top bit set are not equal numbers.
    const apart = left.isSigned === right.isSigned ? 0 : -1;
    for (let row = 0; row < rows; row++) {
      const i = 2 * row * leftStep;
      const j = 2 * row * rightStep;
      const isSame =
        Number(a[i]! === b[j]!) & Number(x[i + 1]! === y[j + 1]!) & Number(((x[i + 1]! | y[j + 1]!) & apart) >= 0);
      truth[row] = miss ^ (-isSame & flip);
    }
    return;
  }
  // A key that orders high halves as doubles, whatever their sign.
  const [ofLeft, ofRight] = [left.isSigned ? 0 : 4294967296, right.isSigned ? 0 : 4294967296];
  for (let row = 0; row < rows; row++) {
    const i = 2 * row * leftStep;
    const j = 2 * row * rightStep;
    const p = x[i + 1]! + Number(x[i + 1]! < 0) * ofLeft;
    const q = y[j + 1]! + Number(y[j + 1]! < 0) * ofRight;
    const isLess = Number(p < q) | (Number(p === q) & Number(a[i]! < b[j]!));
    truth[row] = miss ^ (-isLess & flip);
  }
}
