/** Where {@link readHybrid} writes to. */
export type HybridTarget = Uint8Array | Int32Array;

/**
 * Decodes `count` values of `width` bits (0 to 32) of Parquet's run-length and bit-packed hybrid encoding from
 * `bytes[from … to]` to the beginning of `out`. Nothing is written or read beyond these, whatever the bytes say.
 *
 * @throws Error where the bytes end too soon.
 */
export function readHybrid(
  bytes: Uint8Array,
  from: number,
  to: number,
  width: number,
  out: HybridTarget,
  count: number,
): void {
  let at = from;
  let seen = 0;
  while (seen < count) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= to || shift > 28) throw new Error('a run of levels or indices is cut short');
      const byte = bytes[at++]!;
      header += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (header % 2 === 1) {
      const packed = ((header - 1) / 2) * 8;
      const wanted = Math.min(packed, count - seen);
      if (at + Math.ceil((wanted * width) / 8) > to) throw new Error('packed levels or indices are cut short');
      unpack(bytes, at, width, out, seen, wanted);
      // Groups are of eight values, so they end at whole bytes; the last one may be cut behind what is wanted.
      at += (packed / 8) * width;
      seen += wanted;
      if (packed === 0) throw new Error('a run of levels or indices is empty');
    } else {
      const run = header / 2;
      const size = (width + 7) >> 3;
      if (run === 0 || at + size > to) throw new Error('a run of levels or indices is empty or cut short');
      let value = 0;
      for (let byte = 0; byte < size; byte++) value |= bytes[at++]! << (8 * byte);
      const end = Math.min(count, seen + run);
      out.fill(value, seen, end);
      seen = end;
    }
  }
}

/**
 * Goes through the runs that {@link readHybrid} would decode: whether there are `count` values is known before memory is set
 * aside for them.
 *
 * @throws Error where the bytes end too soon.
 */
export function checkHybrid(bytes: Uint8Array, from: number, to: number, width: number, count: number): void {
  let at = from;
  let seen = 0;
  while (seen < count) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= to || shift > 28) throw new Error('a run of levels or indices is cut short');
      const byte = bytes[at++]!;
      header += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    if (header < 2) throw new Error('a run of levels or indices is empty');
    const isPacked = header % 2 === 1;
    const run = isPacked ? ((header - 1) / 2) * 8 : header / 2;
    const wanted = Math.min(run, count - seen);
    const size = isPacked ? Math.ceil((wanted * width) / 8) : (width + 7) >> 3;
    if (at + size > to) throw new Error('levels or indices are cut short');
    at += isPacked ? (run / 8) * width : size;
    seen += wanted;
  }
}

/** Bits that a level or index up to `max` takes. */
export function bitsFor(max: number): number {
  return 32 - Math.clz32(max);
}

/**
 * The one value that all `count` are, where the encoding shows it at a glance: levels of pages without nulls mostly do.
 */
export function constantOf(
  bytes: Uint8Array,
  from: number,
  to: number,
  width: number,
  count: number,
): number | undefined {
  if (width > 8) return undefined;
  let header = 0;
  let at = from;
  for (let shift = 0; shift <= 28; shift += 7) {
    if (at >= to) return undefined;
    const byte = bytes[at++]!;
    header += (byte & 0x7f) * 2 ** shift;
    if (byte >= 0x80) continue;
    return header % 2 === 0 && header / 2 >= count && at < to ? bytes[at] : undefined;
  }
  return undefined;
}

function unpack(bytes: Uint8Array, from: number, width: number, out: HybridTarget, start: number, count: number): void {
  const end = start + count;
  if (width === 1) {
    for (let at = start, bit = 0; at < end; at++, bit++) out[at] = (bytes[from + (bit >> 3)]! >> (bit & 7)) & 1;
    return;
  }
  if (width > 24) {
    unpackWide(bytes, from, width, out, start, count);
    return;
  }
  const mask = 2 ** width - 1;
  let place = from;
  let held = 0;
  let bits = 0;
  for (let at = start; at < end; at++) {
    while (bits < width) {
      held |= bytes[place++]! << bits;
      bits += 8;
    }
    out[at] = held & mask;
    held >>>= width;
    bits -= width;
  }
}

/** As {@link unpack} for values that do not fit 32 bits together with what is held of the next. */
function unpackWide(
  bytes: Uint8Array,
  from: number,
  width: number,
  out: HybridTarget,
  start: number,
  count: number,
): void {
  for (let value = 0; value < count; value++) {
    let [bit, number] = [value * width, 0];
    for (let got = 0; got < width; ) {
      const take = Math.min(8 - (bit & 7), width - got);
      const part = (bytes[from + (bit >> 3)]! >> (bit & 7)) & (2 ** take - 1);
      number += part * 2 ** got;
      got += take;
      bit += take;
    }
    out[start + value] = number;
  }
}
