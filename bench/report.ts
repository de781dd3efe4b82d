import type { ComparisonResult, SideResult } from './comparison.js';
import type { Verdict } from './figure.js';

/** Results with where and when they were measured. */
export interface DatedResult extends ComparisonResult {
  readonly date: string;
  readonly machine: string;
}

const begin = '<!-- results: written by npm run bench -->';
const end = '<!-- end of results -->';

/** `document` with the tables of `results` between its two marks. @throws Error where a mark is missing. */
export function withResults(document: string, results: readonly DatedResult[]): string {
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`Expected the marks '${begin}' and '${end}' in the document.`);
  return `${document.slice(0, from + begin.length)}\n${results.map(section).join('\n')}\n${document.slice(to)}`;
}

function section(result: DatedResult): string {
  const lines = [
    `### ${result.name}`,
    '',
    `${result.work} ${result.date.slice(0, 10)}, ${result.machine}, ${result.rounds} rounds.`,
    '',
    '| side | rows/s | slowest – fastest | MB/s | next() p50 / p99 | data wait | peak RSS | held |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...result.sides.map(sideRow),
    '',
    ...valueTable(result.sides),
    '| figure | found | |',
    '| --- | --- | --- |',
    ...result.figures.map(figureRow),
    '',
  ];
  return lines.join('\n');
}

function sideRow(side: SideResult): string {
  if (side.error !== null) return `| ${side.name} | did not run | | | | | | |`;
  const cells = [
    side.name,
    shown(side.rowsPerSecond, rate),
    side.rowsPerSecondRange === null ? '' : side.rowsPerSecondRange.map(rate).join(' – '),
    shown(side.megabytesPerSecond, (value) => value.toFixed(0)),
    side.nextP50Us === null ? '' : `${micros(side.nextP50Us)} / ${shown(side.nextP99Us, micros)}`,
    shown(side.waitShare, (value) => `${(value * 100).toFixed(0)} %`),
    shown(side.peakRssBytes, megabytes),
    shown(side.heldBytes, megabytes),
  ];
  return `| ${cells.join(' | ')} |`;
}

function valueTable(sides: readonly SideResult[]): string[] {
  const rows = sides.flatMap(({ name, values = {} }) =>
    Object.entries(values).map(([value, found]) => `| ${name} | ${value} | ${found.toFixed(2)} |`),
  );
  return rows.length === 0 ? [] : ['| side | measured | median |', '| --- | --- | --- |', ...rows, ''];
}

function figureRow({ text, found, reached }: Verdict): string {
  return `| ${text} | ${found === null ? 'not measured' : found.toFixed(2)} | ${reached ? 'reached' : '**missed**'} |`;
}

function shown(value: number | null, text: (value: number) => string): string {
  return value === null ? '' : text(value);
}

const rate = (value: number): string =>
  value >= 1e6 ? `${(value / 1e6).toFixed(2)} M` : value >= 1e3 ? `${(value / 1e3).toFixed(1)} k` : value.toFixed(0);
const micros = (value: number): string =>
  value >= 1000 ? `${(value / 1000).toFixed(1)} ms` : `${value.toFixed(1)} µs`;
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
