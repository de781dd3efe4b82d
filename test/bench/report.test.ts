import { describe, expect, it } from 'vitest';
import { type DatedResult, withResults } from '../../bench/report.js';
import { repositoryFile } from '../source-text.js';

const result: DatedResult = {
  name: 'scan/full',
  work: 'All rows.',
  rounds: 5,
  date: '2026-01-02T03:04:05.000Z',
  machine: '2 × processor',
  sides: [
    {
      name: 'own',
      peer: false,
      rowsPerSecond: 1_500_000,
      rowsPerSecondRange: [1_200_000, 1_600_000],
      megabytesPerSecond: 420,
      bytesPerRow: 280,
      nextP50Us: 12.34,
      nextP99Us: 4567,
      waitShare: 0.5,
      peakRssBytes: 123_000_000,
      heldBytes: 1_500_000,
      values: { 'first batch ms': 12.345 },
      error: null,
    },
    {
      name: 'other',
      peer: true,
      rowsPerSecond: null,
      rowsPerSecondRange: null,
      megabytesPerSecond: null,
      bytesPerRow: null,
      nextP50Us: null,
      nextP99Us: null,
      waitShare: null,
      peakRssBytes: null,
      heldBytes: null,
      values: {},
      error: 'not installed',
    },
  ],
  figures: [
    { text: 'own ≥ 3 × best peer', found: null, reached: false },
    { text: 'own ≥ 0.7 × bare read', found: 0.812, reached: true },
  ],
};
const document = repositoryFile('docs/benchmarks.md').text;

describe('the tables of results', () => {
  const written = withResults(document, [result]);

  it('say what was measured, when and where', () => {
    expect(written).toContain('### scan/full\n\nAll rows. 2026-01-02, 2 × processor, 5 rounds.\n');
    expect(written).toContain(
      '| own | 1.50 M | 1.20 M – 1.60 M | 420 | 12.3 µs / 4.6 ms | 50 % | 123 MB | 1.5 MB |\n| other | did not run |',
    );
  });

  it('say what sides measured besides, where they did', () => {
    expect(written).toContain(
      '| side | measured | median |\n| --- | --- | --- |\n| own | first batch ms | 12.35 |\n\n',
    );
    const without = { ...result, sides: result.sides.slice(1) };
    expect(withResults(document, [without])).not.toContain('| measured |');
  });

  it('say which figures were reached, missed and not measured', () => {
    expect(written).toContain('| own ≥ 3 × best peer | not measured | **missed** |');
    expect(written).toContain('| own ≥ 0.7 × bare read | 0.81 | reached |');
  });

  it('take the place of those before, and of nothing else', () => {
    expect(withResults(written, [result])).toBe(written);
    const [before, after] = ['<!-- results', '<!-- end'];
    expect(written.slice(0, written.indexOf(before))).toBe(document.slice(0, document.indexOf(before)));
    expect(written.slice(written.indexOf(after))).toBe(document.slice(document.indexOf(after)));
  });

  it('want the marks', () => {
    expect(() => withResults('no marks', [result])).toThrow('Expected the marks');
  });
});
