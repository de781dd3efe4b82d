import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecentMap } from '../../src/core/recent-map.js';
import { lawRuns } from '../laws.js';

const wide = { countMax: 100, bytesMax: 1000, idleMsMax: 1000 };

describe('what is kept as long as it is used', () => {
  it('is let go by number, least recently used first', () => {
    const gone: number[] = [];
    const map = new RecentMap<number>({ ...wide, countMax: 2 }, (value) => gone.push(value));
    map.add('a', 1);
    map.add('b', 2);
    expect(map.use('a')).toBe(1);
    map.add('c', 3);
    expect(gone).toEqual([2]);
    expect([map.use('a'), map.use('b'), map.use('c')]).toEqual([1, undefined, 3]);
  });

  it('is let go by bytes, weighed when they are known, but for what was used last', () => {
    const map = new RecentMap<string>({ ...wide, bytesMax: 100 });
    map.add('a', 'A', 60);
    map.add('b', 'B');
    expect(map.bytes).toBe(60);
    map.weigh('b', 'B', 50);
    expect([map.use('a'), map.use('b'), map.bytes]).toEqual([undefined, 'B', 50]);
    map.add('c', 'C', 5000);
    expect([map.size, map.use('c'), map.bytes]).toEqual([1, 'C', 5000]);
    map.add('d', 'D', 1);
    expect([map.size, map.use('d'), map.bytes]).toEqual([1, 'D', 1]);
  });

  it('is let go once it was not used for long, as soon as something comes', () => {
    let now = 0;
    const map = new RecentMap<string>(wide, undefined, () => now);
    map.add('a', 'A');
    map.add('b', 'B');
    now = 900;
    expect(map.use('a')).toBe('A');
    now = 1500;
    map.add('c', 'C');
    expect([map.size, map.use('a'), map.use('b')]).toEqual([2, 'A', undefined]);
  });

  it('is weighed and deleted only where it is what is kept under that name', () => {
    const gone: string[] = [];
    const map = new RecentMap<string>(wide, (value) => gone.push(value));
    map.add('a', 'old', 1);
    map.add('a', 'new', 2);
    map.weigh('a', 'old', 900);
    map.delete('a', 'old');
    expect([map.bytes, map.use('a'), gone]).toEqual([2, 'new', ['old']]);
    map.delete('a', 'new');
    expect([map.bytes, map.size, gone]).toEqual([0, 0, ['old', 'new']]);
  });

  it('stays within its bounds whatever is done, and counts what it keeps', () => {
    const names = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
    const steps = fc.array(
      fc.tuple(fc.constantFrom('add', 'use', 'weigh', 'delete', 'wait'), names, fc.integer({ min: 0, max: 60 })),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (work) => {
        let now = 0;
        const held = new Map<number, number>();
        const bounds = { countMax: 4, bytesMax: 100, idleMsMax: 50 };
        const map = new RecentMap<number>(
          bounds,
          (value) => held.delete(value),
          () => now,
        );
        const last = new Map<string, number>();
        for (const [at, [kind, name, amount]] of work.entries()) {
          const value = last.get(name) ?? -1;
          if (kind === 'wait') now += amount;
          else if (kind === 'use') expect(map.use(name)).toBe(held.has(value) ? value : undefined);
          else if (kind === 'delete') map.delete(name, value);
          else if (kind === 'weigh') {
            if (held.has(value)) held.set(value, amount);
            map.weigh(name, value, amount);
          } else {
            last.set(name, at);
            held.set(at, amount);
            map.add(name, at, amount);
          }
          const bytes = [...held.values()].reduce((sum, each) => sum + each, 0);
          expect([map.size, map.bytes]).toEqual([held.size, bytes]);
          expect(map.size).toBeLessThanOrEqual(4);
          expect(map.size <= 1 || map.bytes <= 100).toBe(true);
        }
      }),
      { numRuns: lawRuns(100, 5000) },
    );
  });
});
