import { falseBits, nullBits, trueBits, truthArray, truthOf, truthValues, type Values, wordsOf } from './values.js';

/** Three-valued `and` of all `args`: false where one is, else null where one is. */
export function andValues(args: readonly Values[], rows: number): Values {
  return combined(args, rows, trueBits, (words, other) => {
    for (let word = 0; word < words.length; word++) words[word]! &= other[word]!;
  });
}

/** Three-valued `or` of all `args`: true where one is, else null where one is. */
export function orValues(args: readonly Values[], rows: number): Values {
  return combined(args, rows, falseBits, (words, other) => {
    for (let word = 0; word < words.length; word++) words[word]! |= other[word]!;
  });
}

/** Three-valued `not`: null stays null. */
export function notValues(value: Values): Values {
  const truth = truthOf(value);
  const negated = truthArray(truth.length);
  const from = wordsOf(truth);
  const to = wordsOf(negated);
  // Both bits flip and change places: so null, which is one of them, is itself again.
  for (let word = 0; word < to.length; word++) {
    const bits = ~from[word]!;
    to[word] = ((bits >>> 1) & 0x01010101) | ((bits << 1) & 0x02020202);
  }
  return truthValues(negated, value.constant);
}

/** True where exactly one of two is; null where one is null. */
export function xorValues(left: Values, right: Values, rows: number): Values {
  const [a, b] = [truthOf(left), truthOf(right)];
  const [aStep, bStep] = [left.constant ? 0 : 1, right.constant ? 0 : 1];
  const truth = truthArray(rows);
  for (let row = 0; row < rows; row++) {
    const x = a[row * aStep]!;
    const y = b[row * bStep]!;
    truth[row] = x === nullBits || y === nullBits ? nullBits : x ^ y;
  }
  return truthValues(truth, left.constant && right.constant);
}

function combined(
  args: readonly Values[],
  rows: number,
  neutral: number,
  put: (words: Uint32Array, other: Uint32Array) => void,
): Values {
  const truth = truthArray(rows).fill(neutral);
  const words = wordsOf(truth);
  for (const values of args) put(words, wordsOf(values.constant ? filled(truthOf(values)[0]!, rows) : truthOf(values)));
  return truthValues(
    truth,
    args.every((values) => values.constant),
  );
}

function filled(value: number, rows: number): Uint8Array {
  return truthArray(rows).fill(value);
}
