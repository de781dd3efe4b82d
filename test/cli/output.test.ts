import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cellText, plainCell, timeText } from '../../src/cli/cell-text.js';
import { failureText } from '../../src/cli/failure.js';
import { Output } from '../../src/cli/output.js';
import { Spiral, SpiralError, se } from '../../src/index.js';
import { lawRuns } from '../laws.js';

/** An output of `columns` characters in a terminal, or a pipe, and what was written to it. */
function output(columns: number | undefined, json = false): { out: Output; written: () => string } {
  let text = '';
  const stream = {
    ...(columns === undefined ? {} : { isTTY: true, columns }),
    write: (piece: string) => {
      text += piece;
      return true;
    },
    once: () => undefined,
  };
  return { out: new Output(stream, { json, quiet: false, styled: false }), written: () => text };
}

const columns = [{ name: 'name' }, { name: 'rows', right: true }] as const;

describe('a table', () => {
  it('has columns that line up in a terminal, numbers to the right', async () => {
    const { out, written } = output(40);
    await out.table(
      columns,
      [
        ['a', out.count(5)],
        ['größer', out.count(12345)],
      ],
      [],
    );
    expect(written()).toBe('name      rows\na            5\ngrößer  12,345\n');
  });

  it('fits the terminal: the widest columns give way', async () => {
    const { out, written } = output(24);
    await out.table(columns, [['x'.repeat(60), '123456']], []);
    for (const line of written().trimEnd().split('\n')) expect(line.length).toBeLessThanOrEqual(24);
    expect(written()).toContain('…  123456');
  });

  it('never cuts a column that is to be whole', async () => {
    const { out, written } = output(24);
    await out.table([{ name: 'check' }, { name: 'found', whole: true }], [['store', 'x'.repeat(60)]], []);
    expect(written()).toBe(`check  found\nstore  ${'x'.repeat(60)}\n`);
  });

  it('is tab-separated in a pipe, figures exact', async () => {
    const { out, written } = output(undefined);
    await out.table(
      columns,
      [
        ['a\tb\nc\\', out.count(12345)],
        ['', out.bytes(null)],
      ],
      [],
    );
    expect(written()).toBe('name\trows\na\\tb\\nc\\\\\t12345\n\t\n');
  });

  it('is a document with --json', async () => {
    const { out, written } = output(undefined, true);
    await out.table(columns, [['a', '5']], [{ name: 'a', rows: 5 }]);
    expect(written()).toBe('[{"name":"a","rows":5}]\n');
  });

  it('has its names where there are no rows', async () => {
    for (const width of [40, undefined]) {
      const { out, written } = output(width);
      await out.table(columns, [], []);
      expect(written().split(/\s+/)).toEqual(['name', 'rows', '']);
    }
  });

  it('keeps a row on a line and text of others out of control', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(plainCell(text)).not.toMatch(/[\t\n\r]/);
        expect(cellText(text)).not.toMatch(/\p{Cc}/u);
        const back = plainCell(text).replace(
          /\\(.)/g,
          (_, sign: string) => ({ t: '\t', n: '\n', r: '\r' })[sign] ?? sign,
        );
        expect(back).toBe(text);
      }),
      { numRuns: lawRuns(200, 20_000) },
    );
    expect(cellText('\u001b[31mred\u202e')).toBe('\\u001b[31mred\\u202e');
  });

  it('tells figures for people in a terminal', () => {
    const { out } = output(80);
    expect([0, 1023, 1536, 5 * 2 ** 40].map((bytes) => out.bytes(bytes))).toEqual([
      '0 B',
      '1023 B',
      '1.5 KiB',
      '5.0 TiB',
    ]);
    expect(timeText(1_767_225_600_123_456)).toBe('2026-01-01T00:00:00.123456Z');
  });
});

describe('an error', () => {
  it('points at the place in a condition', async () => {
    const condition = "größe = 'a' und b";
    await using spiral = new Spiral({ overrides: { 'warehouse.uri': 'memory://output' } });
    const table = await (await spiral.createProject('p')).createTable('t', { keySchema: { id: 'int64' } });
    let text = '';
    try {
      se.parse(condition, table);
    } catch (error) {
      text = failureText(error, { json: false, debug: false });
    }
    expect(text.split('\n').slice(1)).toEqual([`  ${condition}`, `  ${' '.repeat(12)}^`, '']);
  });

  it('is a line of JSON with --json, whatever its details hold', () => {
    const error = new SpiralError('type_mismatch', 'no', { details: { at: 5n, bytes: new Uint8Array(3) } });
    expect(JSON.parse(failureText(error, { json: true, debug: false }))).toEqual({
      error: { code: 'type_mismatch', kind: 'invalid_argument', message: 'no', details: { at: '5', bytes: '3 bytes' } },
    });
    expect(JSON.parse(failureText(new TypeError('x'), { json: true, debug: true }))).toMatchObject({
      error: { code: 'internal', message: 'x', stack: expect.stringContaining('TypeError') },
    });
  });
});
