import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Arena } from '../../src/core/arena.js';
import { ArenaPool } from '../../src/core/arena-pool.js';

it('of many pools that nobody lets go of only so many have an arena, and all have memory of their own', () => {
  const pools = Array.from({ length: 1000 }, () => new ArenaPool());
  const taken = pools.map((pool, at) => pool.take(100).fill(at % 256));
  const arenas = new Set(taken.map(({ buffer }) => Arena.of(buffer)));
  expect(arenas.has(undefined)).toBe(true);
  expect(arenas.size).toBeGreaterThan(10);
  expect(taken.every((bytes, at) => bytes.every((byte) => byte === at % 256))).toBe(true);
  expect(new Set(taken.map(({ buffer }) => buffer)).size).toBe(pools.length);
});

it('a pool that nobody took memory of takes no addresses', { skip: process.platform !== 'linux' }, () => {
  const addressesKb = (): number => Number(/VmSize:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]);
  const before = addressesKb();
  const pools = Array.from({ length: 1000 }, () => new ArenaPool());
  expect(pools.map((pool) => pool.lease())).toHaveLength(pools.length);
  // An arena takes ten million.
  expect(addressesKb() - before).toBeLessThan(1e6);
});
