import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arena } from '../../src/core/arena.js';
import { lawRuns } from '../laws.js';

const MiB = 1024 * 1024;

describe('an arena', () => {
  it('gives no byte to two, keeps what is written while it grows, and gives again what was given back', () => {
    const sizes = fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: MiB }));
    const steps = fc.array(fc.oneof(sizes, fc.integer({ min: -50, max: -1 })), { maxLength: 80 });
    fc.assert(
      fc.property(steps, (taken) => {
        const arena = new Arena();
        const used: { memory: Uint8Array; mark: number }[] = [];
        for (const [mark, step] of taken.entries()) {
          if (step >= 0) {
            const memory = arena.allocate(step)!;
            expect(memory.byteLength).toBe(step);
            expect(memory.byteOffset % 16).toBe(0);
            memory.fill(mark);
            used.push({ memory, mark });
          } else if (used.length > 0) arena.free(used.splice(-step % used.length, 1)[0]!.memory);
        }
        for (const { memory, mark } of used) expect(memory.every((byte) => byte === mark)).toBe(true);
        const size = arena.memory.buffer.byteLength;
        for (const { memory } of used) arena.free(memory);
        // All of it is one stretch again.
        expect(arena.allocate(size - 32)?.byteOffset).toBe(16);
        expect(arena.memory.buffer.byteLength).toBe(size);
      }),
      { numRuns: lawRuns(60, 2000) },
    );
  });

  it('is known by each of its buffers, those of before it grew too', () => {
    const arena = new Arena();
    const before = arena.allocate(10)!;
    const after = arena.allocate(3 * MiB)!;
    expect(after.buffer).not.toBe(before.buffer);
    expect([Arena.of(before.buffer), Arena.of(after.buffer)]).toEqual([arena, arena]);
    expect(Arena.of(new ArrayBuffer(8))).toBeUndefined();
  });

  it('gives nothing beyond what its addresses reach over, and goes on', () => {
    const arena = new Arena();
    expect(arena.allocate(2 ** 32)).toBeUndefined();
    expect(arena.allocate(64)?.byteLength).toBe(64);
  });

  it('is counted by V8 as what it is, and goes once nobody refers to it, however little was put into it', async () => {
    // A thread of its own: when V8 collects, and what then goes besides, depends on all else that a heap holds.
    const thread = new Worker(new URL('./arenas-thread.mjs', import.meta.url));
    const [seen] = (await once(thread, 'message')) as [Record<'counted' | 'byteLength' | 'made' | 'gone', number>];
    await thread.terminate();
    expect(seen.byteLength).toBeGreaterThan(64 * MiB);
    expect(seen.counted).toBeGreaterThan(63 * MiB);
    expect(seen.counted).toBeLessThan(66 * MiB);
    // Each takes 10 GiB of addresses; V8 alone would wait until its heap is full.
    expect(seen.gone).toBeGreaterThan(seen.made / 2);
  });
});
