import { cellText, plainCell, timeText } from './cell-text.js';

/** Where a command's answer goes: the parts of a stream that are used. */
export interface OutputStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): boolean;
  once(event: 'drain', listener: () => void): unknown;
}

/** A column of a table. */
export interface Column {
  readonly name: string;
  /** Numbers stand to the right. */
  readonly right?: true;
  /** Never cut: it runs on into the next line of the terminal. */
  readonly whole?: true;
}

const columnsOtherwise = 80;
const cellColumnsMin = 8;
const gap = '  ';

/**
 * The answer of a command: for people in a terminal, tab-separated when piped, JSON where that is asked for.
 */
export class Output {
  readonly json: boolean;
  /** Somebody looks at it. */
  readonly terminal: boolean;
  /** No progress, and nothing but the answer. */
  readonly quiet: boolean;
  readonly #stream: OutputStream;
  readonly #styled: boolean;

  constructor(stream: OutputStream, settings: { json: boolean; quiet: boolean; styled: boolean }) {
    this.#stream = stream;
    this.json = settings.json;
    this.quiet = settings.quiet;
    this.terminal = stream.isTTY === true;
    this.#styled = this.terminal && settings.styled;
  }

  /** Writes text as it is; resolves when more can be taken. */
  async write(text: string): Promise<void> {
    if (!this.#stream.write(text)) await new Promise<void>((resolve) => this.#stream.once('drain', resolve));
  }

  line(text: string): Promise<void> {
    return this.write(`${text}\n`);
  }

  /** A document of JSON: over several lines in a terminal. */
  document(value: unknown): Promise<void> {
    return this.line(this.terminal ? JSON.stringify(value, null, 2) : JSON.stringify(value));
  }

  /** Rows under names, or `json` as a document. */
  async table(columns: readonly Column[], rows: readonly (readonly string[])[], json: unknown): Promise<void> {
    if (this.json) return this.document(json);
    const table = this.rows(columns);
    await table.add(rows);
    await table.end();
  }

  /** Names and values, one a line, or `json` as a document. */
  async facts(facts: readonly (readonly [name: string, value: string])[], json: unknown): Promise<void> {
    if (this.json) return this.document(json);
    const width = Math.max(0, ...facts.map(([name]) => name.length));
    const lines = facts.map(([name, value]) =>
      this.terminal ? `${this.bold(name.padEnd(width))}${gap}${cellText(value)}` : `${name}\t${plainCell(value)}`,
    );
    await this.write(lines.map((text) => `${text}\n`).join(''));
  }

  /** A table that comes in pieces: its columns are as wide as the first piece wants them. */
  rows(columns: readonly Column[]): { add(rows: readonly (readonly string[])[]): Promise<void>; end(): Promise<void> } {
    if (!this.terminal) return this.#plainRows(columns);
    let widths: number[] | undefined;
    const show = (cells: readonly string[], style: (text: string) => string): string => {
      const padded = cells.map((cell, at) => {
        const cut = fitted(cell, widths![at]!);
        const space = ' '.repeat(widths![at]! - [...cut].length);
        return columns[at]!.right ? space + style(cut) : style(cut) + space;
      });
      return `${padded.join(gap).trimEnd()}\n`;
    };
    const add = async (rows: readonly (readonly string[])[]): Promise<void> => {
      const clean = rows.map((row) => row.map(cellText));
      const names = columns.map(({ name }) => cellText(name));
      const isFirst = widths === undefined;
      widths ??= this.#widths(columns, [names, ...clean]);
      const head = isFirst ? show(names, (text) => this.bold(text)) : '';
      await this.write(head + clean.map((row) => show(row, (text) => text)).join(''));
    };
    return { add, end: async () => (widths === undefined ? add([]) : undefined) };
  }

  #plainRows(columns: readonly Column[]): {
    add(rows: readonly (readonly string[])[]): Promise<void>;
    end(): Promise<void>;
  } {
    let head = `${columns.map(({ name }) => plainCell(name)).join('\t')}\n`;
    const add = async (rows: readonly (readonly string[])[]): Promise<void> => {
      const lines = head + rows.map((row) => `${row.map(plainCell).join('\t')}\n`).join('');
      head = '';
      await this.write(lines);
    };
    return { add, end: () => add([]) };
  }

  /** As wide as the cells want; where the terminal is too narrow, the widest give way. */
  #widths(columns: readonly Column[], rows: readonly (readonly string[])[]): number[] {
    const widths = rows[0]!.map((_, at) => Math.max(1, ...rows.map((row) => [...row[at]!].length)));
    const room = (this.#stream.columns || columnsOtherwise) - gap.length * (widths.length - 1);
    for (;;) {
      const excess =
        widths.reduce((sum, width, at) => sum + (columns[at]!.whole ? Math.min(width, cellColumnsMin) : width), 0) -
        room;
      const widest = Math.max(0, ...widths.filter((_, at) => !columns[at]!.whole));
      if (excess <= 0 || widest <= cellColumnsMin) return widths;
      const at = widths.findIndex((width, column) => width === widest && !columns[column]!.whole);
      widths[at] = Math.max(cellColumnsMin, widest - Math.max(1, Math.ceil(excess / widths.length)));
    }
  }

  /** A count of bytes: rounded for people, exact for programs. */
  bytes(count: number | null): string {
    if (count === null) return this.unknown;
    if (!this.terminal) return String(count);
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let [value, unit] = [count, 0];
    while (value >= 1024 && unit < units.length - 1) [value, unit] = [value / 1024, unit + 1];
    return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
  }

  /** Microseconds since the epoch: to the second for people, exact for programs. */
  time(micros: number): string {
    const text = timeText(micros);
    return this.terminal ? text.replace(/\.\d+Z$/, 'Z') : text;
  }

  /** A number: with commas for people. */
  count(value: number | null): string {
    if (value === null) return this.unknown;
    return this.terminal ? value.toLocaleString('en-US') : String(value);
  }

  /** What stands for a figure that is not known. */
  get unknown(): string {
    return this.terminal ? '–' : '';
  }

  bold(text: string): string {
    return this.#styled ? `\u001b[1m${text}\u001b[22m` : text;
  }
}

function fitted(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}
