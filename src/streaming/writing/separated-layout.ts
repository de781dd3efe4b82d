import { SpiralError, shown } from '../../core/errors.js';
import type { GrowingBytes } from '../../format/growing-bytes.js';
import type { MdsShardFormat } from '../../format/mds-index.js';
import { jsonText } from '../../format/python-json.js';
import { RefusedValue } from '../../format/refused-value.js';
import {
  type CommonSettings,
  offsetTable,
  ownBytes,
  type Sample,
  type ShardFile,
  type ShardLayout,
} from './shard-layout.js';
import { cellText, type TextColumn, textColumns } from './text-columns.js';

/** What stands between values, and behind each line. */
export interface Separators {
  readonly separator: string;
  readonly newline: string;
}

/**
 * Shards of the formats `csv`, `tsv` and `xsv`: a line of names, then a line a sample, without any quoting, and where each
 * begins in a file beside.
 */
export class SeparatedLayout implements ShardLayout {
  readonly format: MdsShardFormat;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly startBytes = 0;
  readonly sampleBytes = 0;
  readonly headBytes: number;
  readonly #columns: readonly TextColumn[];
  readonly #separators: Separators;
  readonly #header: string;
  #at = 0;

  /** @throws SpiralError `invalid_schema`, `unsupported_type` for the columns. */
  constructor(format: 'csv' | 'tsv' | 'xsv', columns: unknown, separators: Separators, common: CommonSettings) {
    const { separator, newline } = separators;
    this.format = format;
    this.#columns = textColumns(format, columns);
    this.#separators = separators;
    const names = this.#columns.map(({ name }) => name);
    const odd = names.find((name) => !isPlain(name, separators));
    if (odd !== undefined) {
      throw new SpiralError(
        'invalid_schema',
        `Expected names of columns without the separator ${shown(separator)} and the newline ${shown(newline)}, got ${shown(odd)}: ` +
          `${format} has no quotes.`,
        { details: { column: odd } },
      );
    }
    this.#header = names.join(separator) + newline;
    this.headBytes = Buffer.byteLength(this.#header);
    this.settings = {
      ...common,
      format,
      version: 2,
      newline,
      column_names: names,
      column_encodings: this.#columns.map(({ encoding }) => encoding),
      ...(format === 'xsv' ? { separator } : {}),
    };
  }

  get column(): string {
    return this.#columns[this.#at]!.name;
  }

  append(sample: Sample, into: GrowingBytes): void {
    const { separator, newline } = this.#separators;
    let line = '';
    for (const [at, column] of this.#columns.entries()) {
      this.#at = at;
      const text = cellText(column, sample);
      if (!isPlain(text, this.#separators)) {
        const what = `text without the separator ${shown(separator)} and the newline ${shown(newline)}, as there are no quotes`;
        throw new RefusedValue(what, shown(text));
      }
      line += at === 0 ? text : separator + text;
    }
    into.addText(line + newline);
  }

  files(samples: Uint8Array, starts: readonly number[]): ShardFile[] {
    const header = ownBytes(this.#header);
    const table = offsetTable(starts, samples.length, header.length);
    return [
      { role: 'data', ending: `.${this.format}`, pieces: [header, samples] },
      { role: 'meta', ending: `.${this.format}.meta`, pieces: [table, ownBytes(jsonText(this.settings, true))] },
    ];
  }
}

/** Whether `text` ends just where the separator behind it begins. */
function isPlain(text: string, { separator, newline }: Separators): boolean {
  return (text + separator).indexOf(separator) === text.length && !text.includes(newline);
}
