import type { RandomStream } from '../../src/core/random.js';
import { mutateBytes, pick } from './mutate-bytes.js';
import { mutateText } from './mutate-text.js';
import { mutateValue, type Plain } from './mutate-value.js';

/** A parser, and how to make inputs for it. */
export interface FuzzTarget {
  readonly name: string;
  /** Inputs of a short and of a long run. */
  readonly ci: number;
  readonly long: number;
  /** What all inputs share, made once a process. */
  open(): Promise<OpenTarget>;
}

/** A target in a process. */
export interface OpenTarget {
  /** Inputs as they were before any mutation: each must be accepted. */
  readonly seeds: readonly Uint8Array[];
  /** A mutated input: a pure function of what is drawn. */
  input(draw: RandomStream): Uint8Array;
  /**
   * Parses `bytes` as far as a user would, values out. Rejects with a SpiralError for what is refused, with anything else for
   * what must not be: a wrong value of a format with checksums among it.
   */
  parse(bytes: Uint8Array): Promise<unknown>;
}

type Parse = OpenTarget['parse'];

/** Inputs that are mutated as bytes; `seal` mends the checksums of what came of it, so that the damage gets past them. */
export function byteInputs(
  seeds: readonly Uint8Array[],
  parse: Parse,
  seal: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): OpenTarget {
  return { seeds, parse, input: (draw) => seal(mutateBytes(pick(seeds, draw), draw, pick(seeds, draw))) };
}

/** Inputs that are mutated as text, and every eighth as bytes. */
export function textInputs(texts: readonly string[], parse: Parse): OpenTarget {
  const seeds = texts.map((text) => new TextEncoder().encode(text));
  const input = (draw: RandomStream): Uint8Array =>
    draw.below(8) === 0
      ? mutateBytes(pick(seeds, draw), draw, pick(seeds, draw))
      : new Uint8Array(Buffer.from(mutateText(pick(texts, draw), draw, pick(texts, draw))));
  return { seeds, parse, input };
}

/** As {@link textInputs}, for what takes text that is no UTF-8, halves of surrogate pairs among it: inputs are UTF-16. */
export function wideTextInputs(texts: readonly string[], parse: (text: string) => Promise<unknown>): OpenTarget {
  const wide = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'utf16le'));
  return {
    seeds: texts.map(wide),
    parse: (bytes) => parse(Buffer.from(bytes).toString('utf16le')),
    input: (draw) => wide(mutateText(pick(texts, draw), draw, pick(texts, draw))),
  };
}

/** Inputs that are mutated as values, and `encode`d then: damage that is well formed. */
export function valueInputs(values: readonly Plain[], encode: (value: Plain) => Uint8Array, parse: Parse): OpenTarget {
  const input = (draw: RandomStream): Uint8Array => {
    for (;;) {
      try {
        return encode(mutateValue(pick(values, draw), draw, pick(values, draw)));
      } catch {
        // Encoders refuse some values, such as ones nested without end: then it is another.
      }
    }
  };
  return { seeds: values.map(encode), parse, input };
}

/** Values as JSON. Numbers that JSON has not become null, bigint and bytes text. */
export function jsonBytes(value: Plain): Uint8Array {
  const text = JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return String(part);
    return part instanceof Uint8Array ? Buffer.from(part).toString('base64') : part;
  });
  return new Uint8Array(Buffer.from(text));
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** Fails where a format with checksums accepted what is not there. */
export function expectSame(found: unknown, expected: unknown, what: string): void {
  const [a, b] = [shape(found), shape(expected)];
  if (a !== b)
    throw new Error(`Accepted a wrong value: ${what} is ${a.slice(0, 300)} where it was ${b.slice(0, 300)}.`);
}

function shape(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (typeof part === 'bigint') return `${part}n`;
    if (part instanceof Map) return [...part];
    if (ArrayBuffer.isView(part)) return Array.from(part as Uint8Array, String);
    return typeof part === 'number' && !Number.isFinite(part) ? String(part) : part;
  });
}
