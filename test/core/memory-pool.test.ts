import { describe, expect, it } from 'vitest';
import { MemoryLedger } from '../../src/core/memory-ledger.js';
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

  it('keeps no more ready than a quarter of what is in use', () => {
    const pool = new MemoryPool();
    const taken = Array.from({ length: 8 }, () => pool.take(MiB));
    for (const memory of taken) pool.give(memory);
    const again = Array.from({ length: 8 }, () => pool.take(MiB));
    expect(again.filter((memory) => taken.includes(memory)).length).toBe(1);
  });

  it('counts what its leases hold, what others hold with them, and what lies ready', () => {
    const ledger = new MemoryLedger();
    const pool = new MemoryPool(ledger);
    const [lease, other] = [pool.lease(), pool.lease()];
    lease.allocate(100);
    lease.allocate(MiB);
    lease.count(50);
    for (let times = 0; times < 8; times++) other.allocate(MiB);
    expect([lease.bytes, ledger.held]).toEqual([MiB + 150, 9 * MiB + 150]);
    expect([lease.owns(lease.allocate(7).buffer), other.owns(lease.allocate(7).buffer)]).toEqual([true, false]);
    lease.release();
    expect([lease.bytes, ledger.held]).toEqual([0, 9 * MiB]);
    other.release();
    expect(ledger.held).toBeLessThanOrEqual(3 * MiB);
    expect(ledger.peak).toBe(9 * MiB + 164);
  });

  it('keeps nothing ready beyond its limit', () => {
    const ledger = new MemoryLedger();
    const pool = new MemoryPool(ledger, 8 * MiB);
    const [held, spent] = [pool.lease(), pool.lease()];
    for (let times = 0; times < 6; times++) held.allocate(MiB);
    spent.allocate(MiB);
    spent.release();
    expect(ledger.held).toBe(7 * MiB);
    pool.lease().allocate(2 * MiB - 5);
    expect(ledger.held).toBe(8 * MiB);
  });
});
