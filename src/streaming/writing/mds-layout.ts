import type { GrowingBytes } from '../../format/growing-bytes.js';
import { mdsEncoder } from '../../format/mds-encoder.js';
import { mdsEncoding } from '../../format/mds-encoding.js';
import type { MdsShardFormat } from '../../format/mds-index.js';
import type { ValueEncoder } from '../../format/mds-number-encoder.js';
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
import { sortedColumns, unknownEncoding } from './writer-columns.js';

/** Encodings, as a message lists them. */
const known =
  'int, int8 to uint64, float16 to float64, bytes, str, str_int, str_float, str_decimal, json, pil, jpeg, png, jpeg_array, ' +
  'list[pil], list[jpeg], list[png], ndarray, ndarray:dtype, ndarray:dtype:sides';

/**
 * Shards of the format `mds`: offsets, the settings, then samples, each the lengths of its values of no fixed size and then
 * all its values.
 */
export class MdsLayout implements ShardLayout {
  readonly format: MdsShardFormat = 'mds';
  readonly settings: Readonly<Record<string, unknown>>;
  readonly startBytes: number;
  readonly sampleBytes = 4;
  readonly headBytes = 0;
  readonly #config: Buffer;
  readonly #names: readonly string[];
  readonly #encoders: readonly ValueEncoder[];
  readonly #isFixed: readonly boolean[];
  readonly #headBytes: number;
  #at = 0;

  /** @throws SpiralError `invalid_schema`, `unsupported_type` for the columns. */
  constructor(columns: unknown, common: CommonSettings) {
    const entries = sortedColumns(columns);
    const encodings = entries.map(([column, name]) => {
      const encoding = mdsEncoding(name);
      if (encoding === undefined) throw unknownEncoding('mds', column, name, known);
      return encoding;
    });
    this.#names = entries.map(([name]) => name);
    this.#encoders = encodings.map(mdsEncoder);
    this.#isFixed = encodings.map(({ size }) => size !== null);
    this.#headBytes = 4 * this.#isFixed.filter((isFixed) => !isFixed).length;
    this.settings = {
      ...common,
      format: this.format,
      version: 2,
      column_names: this.#names,
      column_encodings: entries.map(([, encoding]) => encoding),
      column_sizes: encodings.map(({ size }) => size),
    };
    this.#config = Buffer.from(jsonText(this.settings, true));
    // The count, the last offset, and the settings.
    this.startBytes = 8 + this.#config.length;
  }

  get column(): string {
    return this.#names[this.#at]!;
  }

  append(sample: Sample, into: GrowingBytes): void {
    const [names, encoders] = [this.#names, this.#encoders];
    let lengthAt = into.append(this.#headBytes);
    for (let at = 0; at < names.length; at++) {
      this.#at = at;
      const value = sample[names[at]!];
      if (value === undefined) throw new RefusedValue('a value in every sample', 'none', 'invalid_rows');
      const from = into.length;
      encoders[at]!(value, into);
      if (this.#isFixed[at]) continue;
      into.view.setUint32(lengthAt, into.length - from, true);
      lengthAt += 4;
    }
  }

  files(samples: Uint8Array, starts: readonly number[]): ShardFile[] {
    const base = 4 * (starts.length + 2) + this.#config.length;
    const table = offsetTable(starts, samples.length, base);
    return [{ role: 'data', ending: '.mds', pieces: [table, ownBytes(this.#config.toString('latin1')), samples] }];
  }
}
