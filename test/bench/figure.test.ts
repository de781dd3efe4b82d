import { describe, expect, it } from 'vitest';
import { judged, type Measured } from '../../bench/figure.js';

function side(name: string, rowsPerSecond: number | null, more: Partial<Measured> = {}): Measured {
  return { name, peer: false, rowsPerSecond, bytesPerRow: 100, heldBytes: null, ...more };
}

const peers = [
  side('slow', 10, { peer: true }),
  side('quick', 20, { peer: true }),
  side('broken', null, { peer: true }),
];

describe('a ratio', () => {
  it.each([
    [60, true],
    [59.9, false],
  ])('of %d to the best peer that ran, 20, reaches 3 times it: %s', (own, reached) => {
    const figure = { kind: 'ratio', of: 'own', against: 'best peer', atLeast: 3 } as const;
    const verdict = judged(figure, [side('own', own), ...peers]);
    expect(verdict).toEqual({ text: 'own ≥ 3 × best peer (quick)', found: own / 20, reached });
  });

  it('to a side by its name takes that side', () => {
    const figure = { kind: 'ratio', of: 'own', against: 'slow', atLeast: 3 } as const;
    expect(judged(figure, [side('own', 60), ...peers])).toEqual({ text: 'own ≥ 3 × slow', found: 6, reached: true });
  });

  it.each([
    ['the side itself did not run', 'slow', null, peers],
    ['the other side did not run', 'broken', 60, peers],
    ['no peer ran', 'best peer', 60, peers.slice(2)],
  ])('is not reached where %s', (_, against, own, others) => {
    const figure = { kind: 'ratio', of: 'own', against, atLeast: 3 } as const;
    expect(judged(figure, [side('own', own), ...others])).toMatchObject({ found: null, reached: false });
  });

  it('to a side that is not there is a mistake of the benchmark', () => {
    const figure = { kind: 'ratio', of: 'own', against: 'nobody', atLeast: 3 } as const;
    expect(() => judged(figure, [side('own', 60)])).toThrow("a side named 'nobody'");
  });
});

describe('what is held', () => {
  it.each([
    [3000, true],
    [3001, false],
  ])('%d bytes against 1.5 times 20 rows of 100 bytes: %s', (heldBytes, reached) => {
    const figure = { kind: 'held', of: 'own', rows: 20, atMost: 1.5 } as const;
    expect(judged(figure, [side('own', 1, { heldBytes })])).toMatchObject({ found: heldBytes / 2000, reached });
  });
});

describe('a measured value', () => {
  const sides = [side('own', 1, { values: { 'wait ms': 30 } }), side('other', 1, { values: { 'wait ms': 20 } })];
  const figure = { kind: 'value', of: 'own', value: 'wait ms' } as const;

  it.each([
    [30, true],
    [29.9, false],
  ])('of 30 is at most %d: %s', (atMost, reached) => {
    expect(judged({ ...figure, atMost }, sides)).toEqual({ text: `own: wait ms ≤ ${atMost}`, found: 30, reached });
  });

  it.each([
    [1.5, true],
    [1.4, false],
  ])('of 30 is at most %d times the 20 of another side: %s', (atMost, reached) => {
    const verdict = judged({ ...figure, atMost, against: 'other' }, sides);
    expect(verdict).toEqual({ text: `own: wait ms ≤ ${atMost} × other`, found: 1.5, reached });
  });

  it('that was not measured reaches nothing', () => {
    expect(judged({ ...figure, atMost: 1 }, [side('own', 1)])).toMatchObject({ found: null, reached: false });
    const verdict = judged({ ...figure, atMost: 1, against: 'other' }, [sides[0]!, side('other', 1)]);
    expect(verdict).toMatchObject({ found: null, reached: false });
  });
});
