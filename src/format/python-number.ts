/** What Python's `str` makes of the float `value`: the fewest digits that read as it, `1.0`, `1e+22`, `-0.0`, `nan`, `inf`. */
export function floatText(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e16) return Number.isInteger(value) ? `${value}.0` : String(value);
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  return value.toExponential().replace(/(?<=e[+-])(?=\d$)/, '0');
}

/** What Python's `str` makes of the `Decimal` that `text` says; undefined where it says none. */
export function decimalText(text: string): string | undefined {
  const special = /^([+-]?)(inf|infinity|s?nan)(\d*)$/i.exec(text);
  if (special !== null) {
    const [, sign, word, digits] = special;
    const isNumberless = /nan/i.test(word!);
    if (!isNumberless && digits !== '') return undefined;
    const name = isNumberless ? (/^s/i.test(word!) ? 'sNaN' : 'NaN') : 'Infinity';
    return `${sign === '-' ? '-' : ''}${name}${digits!.replace(/^0+/, '')}`;
  }
  const number = /^([+-]?)(?:(\d+)\.?(\d*)|\.(\d+))(?:e([+-]?\d{1,17}))?$/i.exec(text);
  if (number === null) return undefined;
  const [, sign, whole = '', fraction = '', onlyFraction = '', power = '0'] = number;
  const behind = fraction + onlyFraction;
  const digits = (whole + behind).replace(/^0+(?=\d)/, '');
  return (sign === '-' ? '-' : '') + placed(digits, Number(power) - behind.length);
}

/** `digits` × 10 ** `exponent`, as Decimal's own text has it (`to-scientific-string` of its specification). */
function placed(digits: string, exponent: number): string {
  const left = digits.length + exponent;
  const point = exponent <= 0 && left > -6 ? left : 1;
  const power = left === point ? '' : `E${left - point < 0 ? '-' : '+'}${Math.abs(left - point)}`;
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}${power}`;
  if (point >= digits.length) return `${digits}${'0'.repeat(point - digits.length)}${power}`;
  return `${digits.slice(0, point)}.${digits.slice(point)}${power}`;
}
