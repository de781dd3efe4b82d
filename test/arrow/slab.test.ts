import { expect, test } from 'vitest';
import { Slab } from '../../src/arrow/slab.js';

test('a slab zeroes its bits and what lies between buffers, and nothing it need not', () => {
  // Memory that others have let go of comes back as they left it.
  for (let round = 0; round < 50; round++) Buffer.allocUnsafeSlow(4096).fill(0xff);
  for (let round = 0; round < 50; round++) {
    const slab = new Slab();
    const places = [
      slab.reserve(1021),
      slab.reserveBits(77),
      slab.reserve(16),
      slab.reserveBits(0),
      slab.reserve(3000),
    ];
    expect(places).toEqual([0, 1024, 1040, 1056, 1056]);
    expect(slab.size).toBe(4056);
    slab.allocate();
    expect(slab.buffer.byteLength).toBe(4056);
    expect([...slab.bytes(1021, 3)], 'between buffers').toEqual([0, 0, 0]);
    expect([...slab.bytes(1024, 16)], 'bits').toEqual(new Array(16).fill(0));
  }
});
