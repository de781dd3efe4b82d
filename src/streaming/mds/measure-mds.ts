import { typeWords } from '../../arrow/words.js';
import { checkSignal } from '../../core/abort.js';
import { knownOptions } from '../../core/check.js';
import { mdsFormat } from '../../format/mds-file.js';
import { ColumnMeter, type MdsColumnStats } from './column-meter.js';
import { openMdsFolder, shardFiles } from './mds-folder.js';

/** The least, the mean and the most of some figure; null where there is none. */
export interface MdsSpread {
  readonly least: number | null;
  readonly mean: number | null;
  readonly most: number | null;
}

/** Figures of a data set. */
export interface MdsStats {
  readonly uri: string;
  readonly samples: number;
  readonly shards: number;
  readonly storedBytes: number;
  readonly rawBytes: number;
  readonly samplesPerShard: MdsSpread;
  readonly storedBytesPerShard: MdsSpread;
  readonly columns: readonly MdsColumnStats[];
}

export interface MeasureMdsOptions {
  /** Takes `int` columns of JSON, CSV, TSV and XSV shards, which may have any number of digits, as text. Default false. */
  readonly intsAsText?: boolean;
  /** Is told, behind each block of samples, how many are done. */
  readonly onSamples?: (done: number, samples: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Reads a data set of MosaicML Streaming once, and gives sizes and ranges of what is in it: of numbers the least, mean and
 * most, of text, bytes and lists their lengths. Holds one block of samples at a time, and up to 256 MiB of unpacked shards.
 *
 * @throws SpiralError as `Spiral.files` for the data set, and `corrupt_file` for the first sample that is damaged: `verifyMds`
 * tells of all.
 */
export async function measureMds(uri: string, options: MeasureMdsOptions = {}): Promise<MdsStats> {
  knownOptions('measureMds', options, ['intsAsText', 'onSamples', 'signal']);
  const { signal, onSamples } = options;
  const { store, index, indexBytes, shards } = await openMdsFolder(uri, signal);
  try {
    const file = await mdsFormat({ intsAsText: options.intsAsText === true }).open(store, index, indexBytes, {
      modifiedMs: 0,
      signal,
    });
    const columns = file.schema.fields.map((_, column) => column);
    const meters = file.schema.fields.map(({ name, type }, column) => {
      const { encoding } = shards[0]!.columns[column]!;
      return new ColumnMeter({ name, encoding, type: typeWords(type) }, type);
    });
    const samples = shards.reduce((sum, shard) => sum + shard.samples, 0);
    let done = 0;
    for (const [group, { rows }] of file.groups.entries()) {
      checkSignal(signal, 'The measuring of a data set');
      for (const [column, data] of (await file.readGroup(group, columns, { signal })).entries())
        meters[column]!.add(data);
      done += rows;
      onSamples?.(done, samples);
    }
    const stored = shards.map((shard) => shardFiles(shard).reduce((sum, { raw, zip }) => sum + (zip ?? raw).bytes, 0));
    return {
      uri: store.uri,
      samples,
      shards: shards.length,
      storedBytes: stored.reduce((sum, bytes) => sum + bytes, 0),
      rawBytes: shards.flatMap(shardFiles).reduce((sum, { raw }) => sum + raw.bytes, 0),
      samplesPerShard: spread(shards.map((shard) => shard.samples)),
      storedBytesPerShard: spread(stored),
      columns: meters.map((meter) => meter.stats()),
    };
  } finally {
    await store.close();
  }
}

function spread(values: readonly number[]): MdsSpread {
  if (values.length === 0) return { least: null, mean: null, most: null };
  let [least, most, sum] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
  for (const value of values) {
    least = Math.min(least, value);
    most = Math.max(most, value);
    sum += value;
  }
  return { least, mean: sum / values.length, most };
}
