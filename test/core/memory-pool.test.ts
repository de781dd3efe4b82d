import { describe, expect, it } from 'vitest';
import { MemoryPool } from '../../src/core/memory-pool.js';

const MiB = 1024 * 1024;

describe('a memory pool', () => {
  it('gives memory out again once nobody uses it, and never while somebody does', () => {
    const pool = new MemoryPool();
    const others = Array.from({ length: 8 }, () => pool.lease());
    for (const other of others) other.allocate(MiB);
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

  it('keeps no more ready than a quarter of what is in use', () => {
    const pool = new MemoryPool();
    const taken = Array.from({ length: 8 }, () => pool.take(MiB));
    for (const memory of taken) pool.give(memory);
    const again = Array.from({ length: 8 }, () => pool.take(MiB));
    expect(again.filter((memory) => taken.includes(memory)).length).toBe(1);
  });
});
