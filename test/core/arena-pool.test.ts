import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Arena } from '../../src/core/arena.js';
import { ArenaPool } from '../../src/core/arena-pool.js';
import { MemoryLedger } from '../../src/core/memory-ledger.js';
import type { Lease } from '../../src/core/memory-pool.js';
import { finalizeGarbage } from '../collect-garbage.js';
import { lawRuns } from '../laws.js';

const MiB = 1024 * 1024;

/** `bytes` up to the next place where a piece may begin. */
function padded(bytes: number): number {
  return Math.ceil(bytes / 16) * 16;
}

describe('a pool of an arena', () => {
  // A thread has so many arenas and no more until those that nobody refers to are collected, which no law waits for.
  let made = 0;
  const makeRoom = async (): Promise<void> => {
    if (made++ % 32 === 0) await finalizeGarbage();
  };
  beforeEach(finalizeGarbage);

  it('gives memory of one arena, none of it to two, and counts what it holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: -20, max: 300_000 }), { maxLength: lawRuns(80, 800) }),
        async (steps) => {
          await makeRoom();
          const ledger = new MemoryLedger();
          const pool = new ArenaPool(ledger);
          const used: { memory: Uint8Array; mark: number }[] = [];
          const arena = Arena.of(pool.take(1).buffer)!;
          for (const [mark, step] of steps.entries()) {
            if (step > 0) used.push({ memory: pool.take(step).fill(mark), mark });
            else if (used.length > 0) pool.give(used.splice(-step % used.length, 1)[0]!.memory);
            expect(used.every(({ memory }) => Arena.of(memory.buffer) === arena)).toBe(true);
            expect(ledger.held).toBe(arena.bytes);
          }
          for (const { memory, mark } of used) expect(memory.every((byte) => byte === mark)).toBe(true);
        },
      ),
      { numRuns: lawRuns(50, 100) },
    );
  });

  it('holds little more than was in use at once, when windows of about one size come and go', () => {
    const ledger = new MemoryLedger();
    const pool = new ArenaPool(ledger);
    const open: { lease: Lease; bytes: number }[] = [];
    let [used, most] = [0, 0];
    for (let window = 0; window < 300; window++) {
      const lease = pool.lease();
      lease.retain();
      const bytes = 2_000_000 + ((window * 7919) % 300_000);
      for (const part of [8, 56, 100, 4, 32]) lease.allocate(Math.floor((bytes * part) / 200));
      open.push({ lease, bytes });
      used += bytes;
      most = Math.max(most, used);
      while (open.length > 1 + (window % 3)) {
        const oldest = open.shift()!;
        oldest.lease.release();
        used -= oldest.bytes;
      }
    }
    expect(ledger.peak).toBeLessThan(most * 1.25);
  });

  it('gives the pieces of what was expected side by side, none to two, and takes all of it back at once', async () => {
    const piece = fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 100_000 }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 40 }),
        fc.oneof(fc.integer({ min: 0, max: 500_000 }), fc.integer({ min: 0, max: 500 })),
        async (pieces, expected) => {
          await makeRoom();
          const ledger = new MemoryLedger();
          const pool = new ArenaPool(ledger);
          const lease = pool.lease();
          lease.retain();
          lease.expect(expected);
          const given = pieces.map((bytes, mark) => lease.allocate(bytes).fill(mark % 256));
          if (pieces.reduce((sum, bytes) => sum + padded(bytes), 0) <= expected) {
            expect(lease.bytes).toBe(padded(expected));
            for (let at = 1; at < given.length; at++) {
              expect(given[at]!.byteOffset - given[at - 1]!.byteOffset).toBe(padded(pieces[at - 1]!));
            }
          }
          for (const [at, memory] of given.entries()) {
            expect([memory.byteLength, memory.byteOffset % 16]).toEqual([pieces[at], 0]);
            expect(memory.every((byte) => byte === at % 256)).toBe(true);
          }
          expect(given.every((memory) => memory.byteLength === 0 || lease.owns(memory))).toBe(true);
          lease.release();
          expect(lease.bytes).toBe(0);
          // All of it is one stretch again.
          const { bytes } = Arena.of(pool.take(16).buffer)!;
          expect(pool.take(bytes - 48).byteOffset).toBe(32);
        },
      ),
      { numRuns: lawRuns(50, 1000) },
    );
  });

  it('gives nothing of what was expected once that went back or was abandoned', () => {
    const pool = new ArenaPool();
    const lease = pool.lease();
    lease.retain();
    lease.expect(1000);
    const before = lease.allocate(10);
    lease.release();
    const other = pool.take(1000);
    expect(other.byteOffset).toBe(before.byteOffset);
    expect(lease.allocate(10).byteOffset).toBeGreaterThanOrEqual(other.byteOffset + 1000);
    lease.expect(1000);
    lease.abandon();
    expect(Arena.of(lease.allocate(10).buffer)).toBeUndefined();
    lease.expect(1000);
    expect(lease.bytes).toBe(0);
  });

  it('takes as much for all that fill one room, so that one lies where another was, however it is cut', () => {
    const pool = new ArenaPool();
    const room = { bytes: 0 };
    const window = (parts: number[]): { lease: Lease; first: number } => {
      const lease = pool.lease();
      lease.retain();
      lease.fill(room, 30_000 / parts[0]!);
      const places = parts.map((bytes) => {
        lease.expect(bytes);
        return lease.allocate(bytes).byteOffset;
      });
      expect(lease.bytes).toBe(room.bytes);
      return { lease, first: places[0]! };
    };
    const before = [window([10_000]), window([29_995, 5])];
    expect(room.bytes).toBeGreaterThanOrEqual(30_000);
    expect(room.bytes).toBeLessThan(31_000);
    for (let at = 0; at < 20; at++) {
      const { lease, first } = before.shift()!;
      lease.release();
      before.push(window(at % 2 === 0 ? [10, 10_000, 19_990] : [30_000]));
      expect(before.at(-1)!.first).toBe(first);
    }
  });

  it('takes another arena once much of the first was lost, and nothing of the first again', () => {
    const ledger = new MemoryLedger();
    const pool = new ArenaPool(ledger);
    const [held, lost] = [pool.lease(), pool.lease()];
    const first = Arena.of(held.allocate(MiB).buffer);
    for (let times = 0; times < 17; times++) lost.allocate(MiB);
    lost.abandon();
    expect(Arena.of(lost.allocate(MiB).buffer)).toBeUndefined();
    const next = pool.take(MiB);
    expect([undefined, first]).not.toContain(Arena.of(next.buffer));
    expect(ledger.held).toBe(Arena.of(next.buffer)!.bytes);
    held.release();
    expect(Arena.of(pool.take(MiB).buffer)).toBe(Arena.of(next.buffer));
  });

  it('counts what others hold with its leases', () => {
    const ledger = new MemoryLedger();
    const pool = new ArenaPool(ledger);
    const lease = pool.lease();
    const memory = lease.allocate(100_000);
    lease.count(50);
    expect([lease.bytes, lease.owns(memory.subarray(5)), lease.owns(pool.take(5))]).toEqual([100_050, true, false]);
    expect(ledger.held).toBe(Arena.of(memory.buffer)!.bytes + 50);
    lease.release();
    expect(ledger.held).toBe(Arena.of(memory.buffer)!.bytes);
  });
});
