import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checksum } from '../../src/arrow/checksum.js';
import { lawRuns } from '../laws.js';

test('a checksum over pieces is that of all of them, pieces of no bytes among them', () => {
  const none = fc.constantFrom(
    new Uint8Array(new ArrayBuffer(0)),
    new Uint8Array(0),
    new Uint8Array(8).subarray(3, 3),
    Buffer.alloc(0),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.uint8Array(), none)), (pieces) => {
      const whole = crc32(Buffer.concat([Buffer.from('x'), ...pieces]));
      expect(pieces.reduce((sum, piece) => checksum(piece, sum), checksum(Buffer.from('x')))).toBe(whole);
    }),
    { numRuns: lawRuns(100, 10_000) },
  );
});
