import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryLedger } from '../../src/core/memory-ledger.js';
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

  it('counts what its leases hold, what others hold with them, and what lies ready', () => {
    const ledger = new MemoryLedger();
    const pool = new MemoryPool(ledger);
    const [lease, other] = [pool.lease(), pool.lease()];
    lease.allocate(100);
    lease.allocate(MiB);
    lease.count(50);
    for (let times = 0; times < 8; times++) other.allocate(MiB);
    expect([lease.bytes, ledger.held]).toEqual([MiB + 150, 9 * MiB + 150]);
    expect([lease.owns(lease.allocate(7)), other.owns(lease.allocate(7))]).toEqual([true, false]);
    lease.release();
    // What lies ready is still held.
    expect([lease.bytes, ledger.held]).toEqual([0, 9 * MiB]);
    other.release();
    expect([pool.usedBytes, pool.readyBytes, ledger.held]).toEqual([0, 9 * MiB, 9 * MiB]);
    pool.take(4 * MiB);
    expect(ledger.held).toBe(pool.usedBytes + pool.readyBytes);
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
