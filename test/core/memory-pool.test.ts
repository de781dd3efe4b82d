import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryPool } from '../../src/core/memory-pool.js';
import { lawRuns } from '../laws.js';

const MiB = 1024 * 1024;

describe('a memory pool', () => {
  it('gives memory out again once nobody uses it, and never while somebody does', () => {
    const pool = new MemoryPool();
    const lease = pool.lease();
    const memory = lease.allocate(MiB - 5);
    expect(memory.byteLength).toBeGreaterThanOrEqual(MiB - 5);
    lease.retain();
    lease.retain();
    lease.release();
    expect(pool.take(MiB).buffer).not.toBe(memory.buffer);
    lease.release();
    expect(pool.take(MiB).buffer).toBe(memory.buffer);
    expect(pool.take(MiB).buffer).not.toBe(memory.buffer);
  });

  it('never gives out again what was abandoned, as a read may still write to it', () => {
    const pool = new MemoryPool();
    const others = Array.from({ length: 8 }, () => pool.lease());
    for (const other of others) other.allocate(MiB);
    const lease = pool.lease();
    lease.retain();
    const before = lease.allocate(MiB);
    lease.abandon();
    const after = lease.allocate(MiB);
    lease.release();
    const next = [pool.take(MiB), pool.take(MiB)].map(({ buffer }) => buffer);
    expect(next).not.toContain(before.buffer);
    expect(next).not.toContain(after.buffer);
  });

  it('uses memory of nearly the wanted size again', () => {
    const pool = new MemoryPool();
    const memory = pool.take(MiB);
    pool.give(memory);
    expect(pool.take(MiB - 100_000).buffer).toBe(memory.buffer);
  });

  it('holds no more, in use and ready together, than was once in use', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -20, max: 4 * MiB }), { maxLength: 60 }), (steps) => {
        const pool = new MemoryPool();
        const used: Uint8Array[] = [];
        let most = 0;
        for (const step of steps) {
          if (step > 0) used.push(pool.take(step));
          else if (used.length > 0) pool.give(used.splice(-step % used.length, 1)[0]!);
          const own = used.reduce((sum, { byteLength }) => sum + (byteLength < 64 * 1024 ? 0 : byteLength), 0);
          most = Math.max(most, own);
          expect(pool.usedBytes).toBe(own);
          expect(pool.usedBytes + pool.readyBytes).toBeLessThanOrEqual(most);
        }
      }),
      { numRuns: lawRuns(50, 1000) },
    );
  });
});
