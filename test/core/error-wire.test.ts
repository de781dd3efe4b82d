import { describe, expect, it } from 'vitest';
import { fromWire, toWire } from '../../src/core/error-wire.js';
import { SpiralError } from '../../src/core/errors.js';

const crossed = (error: unknown): Error => fromWire(structuredClone(toWire(error)));

describe('an error that crosses between threads', () => {
  it('keeps class, code, details, stack and causes', () => {
    const system = Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO', errno: -5, syscall: 'read' });
    const error = new SpiralError('unavailable', 'The disk failed.', { details: { path: 'a', at: 7n }, cause: system });
    const other = crossed(error);
    expect(other).toBeInstanceOf(SpiralError);
    expect(other).toMatchObject({
      name: 'SpiralError',
      message: 'The disk failed.',
      code: 'unavailable',
      kind: 'unavailable',
      details: { path: 'a', at: 7n },
      stack: error.stack,
    });
    expect({ ...(other.cause as object) }).toMatchObject({ code: 'EIO', errno: -5, syscall: 'read' });
    expect(other.cause).toMatchObject({ message: system.message, stack: system.stack });
  });

  it('keeps the name of an error that is none of ours, and leaves behind what cannot be cloned', () => {
    const error = Object.assign(new RangeError('too far'), { limit: 5, retry: () => {} });
    const other = crossed(error);
    expect([other.name, other.message]).toEqual(['RangeError', 'too far']);
    expect(other).toHaveProperty('limit', 5);
    expect(other).not.toHaveProperty('retry');
  });

  it('may be no error at all, or cause itself', () => {
    expect(crossed('text').message).toBe('text');
    expect(crossed(undefined).message).toBe('undefined');
    const round = new Error('round');
    round.cause = round;
    expect((crossed(round).cause as Error).message).toBe('round');
  });
});
