import { describe, expect, it } from 'vitest';
import { checkThrift } from '../../src/format/thrift-check.js';

const bytes = (...parts: readonly (number | readonly number[])[]): Uint8Array => Uint8Array.from(parts.flat());
const many = (count: number, byte: number): number[] => new Array<number>(count).fill(byte);

describe('a struct of Thrift', () => {
  it('is gone through to its end, whatever it holds', () => {
    // Field 1: i32; 2: binary; 3: list of two bytes; 4: struct of a bool; 5: double; 20: byte.
    const sound = bytes(
      [0x15, 0x80, 0x01],
      [0x18, 2, 65, 66],
      [0x19, 0x23, 1, 2],
      [0x1c, 0x11, 0],
      [0x17, ...many(8, 0)],
      [0x03, 40, 7],
      0,
    );
    expect(checkThrift(sound, 0)).toBe(sound.length);
    expect(checkThrift(bytes([9, 9], [...sound], 99), 2)).toBe(sound.length + 2);
  });

  it.each([
    ['a number of a million bytes', bytes(0x16, many(1_000_000, 0xff), 0, 0), 'longer than 64 bits'],
    ['a list of more elements than bytes', bytes(0x19, 0xf5, 0xff, 0xff, 0xff, 0xff, 0x07, 0), 'reaches beyond'],
    ['text beyond the end', bytes(0x18, 100, 65, 0), 'reaches beyond'],
    ['no end', bytes(0x15, 2), 'cut short'],
    ['nothing', bytes(), 'cut short'],
    ['structs without end', bytes(many(1000, 0x1c)), 'nested too deeply'],
    ['a map', bytes(0x1b, 0, 0), 'of the type 11'],
  ])('is refused with %s', (_, damaged, why) => {
    expect(() => checkThrift(damaged, 0)).toThrow(why);
  });
});
