/** Half-precision floats (IEEE 754 binary16), which JavaScript has no typed array for in Node 20. */

const wide: Float64Array = new Float64Array(1);
const words: Uint32Array = new Uint32Array(wide.buffer);

/** The bits of the half nearest to `value`, ties to even; infinite from 65520 on, and NaN as 0x7e00. */
export function float16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | nearestEven(size * 2 ** 24);
  wide[0] = size;
  const exponent = (words[1]! >>> 20) - 1023;
  // A mantissa that rounds up to 2048 carries into the exponent, as it should.
  return sign | (((exponent + 15) << 10) + nearestEven(size / 2 ** (exponent - 10)) - 1024);
}

/** The number that the half with these `bits` is. */
export function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function nearestEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && (below & 1) === 1) ? below + 1 : below;
}
