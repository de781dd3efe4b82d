import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from '../../src/core/arena.js';
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

  it.each([{ arena: false }, { arena: true }])(
    'holds no more, in use and ready together, than was once in use: %o',
    (options) => {
      const countedMin = options.arena ? 0 : 64 * 1024;
      fc.assert(
        fc.property(fc.array(fc.integer({ min: -20, max: 4 * MiB }), { maxLength: 60 }), (steps) => {
          const pool = new MemoryPool(undefined, undefined, options);
          const used: Uint8Array[] = [];
          let most = 0;
          for (const step of steps) {
            if (step > 0) used.push(pool.take(step));
            else if (used.length > 0) pool.give(used.splice(-step % used.length, 1)[0]!);
            const own = used.reduce((sum, { byteLength }) => sum + (byteLength < countedMin ? 0 : byteLength), 0);
            most = Math.max(most, own);
            expect(pool.usedBytes).toBe(own);
            expect(pool.usedBytes + pool.readyBytes).toBeLessThanOrEqual(most);
          }
        }),
        { numRuns: lawRuns(50, 1000) },
      );
    },
  );

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

  it('takes all memory from one arena where that is asked for, and gives what is used to nobody else', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -20, max: 300_000 }), { maxLength: 80 }), (steps) => {
        const pool = new MemoryPool(undefined, 4 * MiB, { arena: true });
        const used: { memory: Uint8Array; mark: number }[] = [];
        const arena = Arena.of(pool.take(1).buffer);
        expect(arena).toBeDefined();
        for (const [mark, step] of steps.entries()) {
          if (step > 0) {
            const memory = pool.take(step);
            expect(Arena.of(memory.buffer)).toBe(arena);
            used.push({ memory: memory.fill(mark), mark });
          } else if (used.length > 0) pool.give(used.splice(-step % used.length, 1)[0]!.memory);
        }
        for (const { memory, mark } of used) expect(memory.every((byte) => byte === mark)).toBe(true);
      }),
      { numRuns: lawRuns(50, 1000) },
    );
  });

  it('takes another arena once much of the first was lost, and nothing of the first again', () => {
    const ledger = new MemoryLedger();
    const pool = new MemoryPool(ledger, undefined, { arena: true });
    const [held, given, lost] = [pool.lease(), pool.lease(), pool.lease()];
    const first = Arena.of(held.allocate(MiB).buffer);
    given.allocate(MiB);
    given.release();
    for (let times = 0; times < 17; times++) lost.allocate(MiB);
    lost.abandon();
    expect(Arena.of(pool.take(MiB).buffer)).not.toBe(first);
    expect(ledger.held).toBe(2 * MiB);
    held.release();
    expect([pool.usedBytes, pool.readyBytes, ledger.held]).toEqual([MiB, 0, MiB]);
    expect(Arena.of(pool.take(MiB).buffer)).not.toBe(first);
  });
});
