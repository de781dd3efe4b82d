import { expect, it } from 'vitest';
import { medians } from '../../bench/quantile.js';

it('are taken value by value, over the records that have it', () => {
  expect(medians([{ a: 1 }, { a: 5, b: 2 }, { a: 3, b: 4 }])).toEqual({ a: 3, b: 3 });
});

it('of no records are none', () => {
  expect(medians([])).toEqual({});
});
