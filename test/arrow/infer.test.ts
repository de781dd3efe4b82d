import { describe, expect, test } from 'vitest';
import { fittedType, inferType } from '../../src/arrow/infer.js';
import { parseType, typeWords } from '../../src/arrow/words.js';
import { errorOf } from './refusal.js';

describe('inferType', () => {
  test.each([
    [[1, null, 2.5], 'float64'],
    [[1n], 'int64'],
    [['a'], 'utf8'],
    [[true], 'bool'],
    [[new Date(0)], 'timestamp[us, UTC]'],
    [[Buffer.of(1), new ArrayBuffer(2)], 'binary'],
    [[Float32Array.of(1)], 'list<float32>'],
    [[new Uint8ClampedArray(1)], 'list<uint8>'],
    [[[], [1, null], [[]].slice(1)], 'list<float64>'],
    [[{ a: 1, c: null }, { b: ['x'] }], 'struct<{a: float64, b: list<utf8>}>'],
    [[null, undefined], undefined],
    [[[], [null]], undefined],
    [[{ a: null }, {}], undefined],
  ])('finds %o to be %s', (values, words) => {
    const type = inferType('x', values, 'the test');
    expect(type && typeWords(type)).toBe(words);
  });

  test.each([
    [[1, 'a'], /at row 1 .* got utf8 after float64/],
    [[null, 1, 2n], /at row 2 .* got int64 after float64/],
    [[[1], 1], /got float64 after a list/],
    [['a', {}], /got a struct after utf8/],
    [[{ a: { b: 1 } }, { a: { b: 'x' } }], /'x\.a\.b' at row 1/],
    [[() => 1], /got a function/],
    [[new Map()], /got a Map/],
    [[Symbol('s')], /got Symbol/],
  ])('refuses %o', (values, message) => {
    const error = errorOf(() => inferType('x', values, 'the test'));
    expect(error.code).toBe('type_mismatch');
    expect(error.message).toMatch(message);
  });

  test('ends on objects that hold themselves', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect(errorOf(() => inferType('x', [loop], 'the test')).code).toBe('limit_exceeded');
  });

  test('fits a struct to the keys its values use', () => {
    const hint = parseType('struct<{a: int32, b: struct<{c: utf8, d: utf8}>}>');
    const fitted = (...values: unknown[]): string => typeWords(fittedType('x', hint, values, 'the test'));
    expect(fitted({ a: 1 })).toBe('struct<{a: int32}>');
    expect(fitted({ b: { d: 'x', e: 1n } }, null)).toBe('struct<{b: struct<{d: utf8, e: int64}>}>');
    expect(fitted({ b: null, a: 1 })).toBe(typeWords(hint));
    expect(fitted(null, {})).toBe(typeWords(hint));
  });
});
