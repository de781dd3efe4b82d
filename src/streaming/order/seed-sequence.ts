const words32 = 0x1_0000_0000n;

/**
 * Eight words of 32 bits from `seed`, as numpy's `SeedSequence(seed).generate_state(8)` gives them: the entropy's words are
 * hashed into a pool of four, each pair of the pool is mixed, and the pool is hashed again into the words.
 *
 * `seed` is a whole number of at least 0, of any size.
 */
export function seedWords(seed: bigint): Uint32Array {
  const entropy: number[] = [];
  for (let rest = seed; rest > 0n; rest /= words32) entropy.push(Number(rest % words32));
  const hash = hasher(0x43b0d7e5, 0x931e8875);
  const pool = Uint32Array.from({ length: 4 }, (_, at) => hash(entropy[at] ?? 0));
  for (let source = 0; source < 4; source++) {
    for (let target = 0; target < 4; target++) {
      if (source !== target) pool[target] = mixed(pool[target]!, hash(pool[source]!));
    }
  }
  for (const word of entropy.slice(4)) {
    for (let target = 0; target < 4; target++) pool[target] = mixed(pool[target]!, hash(word));
  }
  const output = hasher(0x8b51f9dd, 0x58f38ded);
  return Uint32Array.from({ length: 8 }, (_, at) => output(pool[at % 4]!));
}

/** A hash of words whose constant moves on with each word. */
function hasher(constant: number, factor: number): (word: number) => number {
  return (word) => {
    const before = constant;
    constant = Math.imul(constant, factor);
    const product = Math.imul(word ^ before, constant);
    return (product ^ (product >>> 16)) >>> 0;
  };
}

function mixed(a: number, b: number): number {
  const difference = (Math.imul(0xca01f9dd, a) - Math.imul(0x4973f715, b)) | 0;
  return (difference ^ (difference >>> 16)) >>> 0;
}
