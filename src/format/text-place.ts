import { SpiralError, shown } from '../core/errors.js';

/** Where in a text file a reader is, and the errors of what it finds there. Whoever reads moves it along. */
export class TextPlace {
  /** The file, as it stands in messages. */
  readonly file: string;
  /** The group that is read; undefined in a pass over the whole file. */
  readonly group: number | undefined;
  /** Row of the file, from 0. */
  row: number;
  /** Where in the file the row begins. */
  byte: number;

  constructor(file: string, group?: number, row = 0, byte = 0) {
    this.file = file;
    this.group = group;
    this.row = row;
    this.byte = byte;
  }

  /** `at row 5 (byte 900) of …`. */
  get words(): string {
    return `at row ${this.row} (byte ${this.byte}) of ${this.file}`;
  }

  /** A row that is not as its format has it, or a value that its column cannot hold. */
  corrupt(expected: string, found: string, remedy: string, column?: string): SpiralError {
    const where = column === undefined ? '' : ` in column '${column}'`;
    return new SpiralError('corrupt_file', `Expected ${expected}${where} ${this.words}, found ${found}. ${remedy}`, {
      details: { ...this.details, expected, found, ...(column === undefined ? {} : { column }) },
    });
  }

  /** A row in which some bytes are no UTF-8. */
  notUtf8(): SpiralError {
    return this.corrupt('UTF-8', 'bytes that are none', 'Mend the row, or convert the file: `iconv -f … -t utf-8`.');
  }

  get details(): Readonly<Record<string, unknown>> {
    const { file, group, row, byte } = this;
    return group === undefined ? { file, row, byte } : { file, group, row, byte };
  }
}

/** Text as it stands in a message. */
export function shownText(bytes: Buffer, from: number, to: number): string {
  return shown(bytes.toString('utf8', from, Math.min(to, from + 400)));
}
