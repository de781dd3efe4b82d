import { MdsLayout } from './mds-layout.js';
import { SampleWriter } from './sample-writer.js';
import type { WriterOptions } from './writer-settings.js';

/**
 * Writes a data set of MosaicML Streaming: shards of the format `mds`, and an index at the end.
 *
 * Every encoding but `pkl`. Values are those of the guide (docs/guides/mds.md); a Uint8Array is taken as the bytes to be
 * stored, whatever the encoding, `ndarray` apart, where it is the array. Values that do not fit are refused. The bytes are those
 * that MosaicML's writer makes, as far as docs/mds.md says. Memory is bounded by `maxWorkers` shards and one more.
 *
 * ```ts
 * await using writer = new MDSWriter({ out: 'data/train', columns: { id: 'int', text: 'str' }, compression: 'zstd' });
 * for (const sample of samples) await writer.write(sample);
 * await writer.finish();
 * ```
 */
export class MDSWriter extends SampleWriter {
  /** Touches nothing. @throws SpiralError `invalid_argument`, `invalid_size`, `invalid_schema`, `unsupported_type`. */
  constructor(options: WriterOptions) {
    super('MDSWriter', options, [], (common) => new MdsLayout(options.columns, common));
  }
}
