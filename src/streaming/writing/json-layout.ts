import type { GrowingBytes } from '../../format/growing-bytes.js';
import type { MdsShardFormat } from '../../format/mds-index.js';
import { jsonText } from '../../format/python-json.js';
import {
  type CommonSettings,
  offsetTable,
  ownBytes,
  type Sample,
  type ShardFile,
  type ShardLayout,
} from './shard-layout.js';
import { cellText, type TextColumn, textColumns } from './text-columns.js';

/** Shards of the format `json`: an object a line, and where each line begins in a file beside. */
export class JsonLayout implements ShardLayout {
  readonly format: MdsShardFormat = 'json';
  readonly settings: Readonly<Record<string, unknown>>;
  readonly startBytes = 0;
  readonly sampleBytes = 0;
  readonly headBytes = 0;
  readonly #columns: readonly TextColumn[];
  readonly #keys: readonly string[];
  readonly #newline: string;
  #at = 0;

  /** @throws SpiralError `invalid_schema`, `unsupported_type` for the columns. */
  constructor(columns: unknown, newline: string, common: CommonSettings) {
    this.#columns = textColumns(this.format, columns);
    this.#keys = this.#columns.map(({ name }, at) => `${at === 0 ? '{' : ', '}${jsonText(name)}: `);
    this.#newline = newline;
    this.settings = {
      ...common,
      format: this.format,
      version: 2,
      newline,
      columns: new Map(this.#columns.map(({ name, encoding }) => [name, encoding])),
    };
  }

  get column(): string {
    return this.#columns[this.#at]!.name;
  }

  append(sample: Sample, into: GrowingBytes): void {
    let line = '';
    for (const [at, column] of this.#columns.entries()) {
      this.#at = at;
      const text = cellText(column, sample);
      line += this.#keys[at]! + (column.encoding === 'str' ? jsonText(text) : jsonNumber(text));
    }
    into.addText(`${line}}${this.#newline}`);
  }

  files(samples: Uint8Array, starts: readonly number[]): ShardFile[] {
    const table = offsetTable(starts, samples.length, 0);
    return [
      { role: 'data', ending: '.json', pieces: [samples] },
      { role: 'meta', ending: '.json.meta', pieces: [table, ownBytes(jsonText(this.settings, true))] },
    ];
  }
}

const words: Readonly<Record<string, string>> = { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' };

/** Numbers in words are others in JSON. */
function jsonNumber(text: string): string {
  return words[text] ?? text;
}
