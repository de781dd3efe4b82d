import { JsonLayout } from './json-layout.js';
import { SampleWriter } from './sample-writer.js';
import { lineEnd } from './separator-text.js';
import type { WriterOptions } from './writer-settings.js';

/** What a writer of lines takes besides. */
export interface LineWriterOptions extends WriterOptions {
  /** What ends each line. Default `'\n'`. */
  readonly newline?: string | undefined;
}

/**
 * Writes a data set of MosaicML Streaming in shards of JSON lines. Columns are `str`, `int` (a bigint beyond 2 ** 53) and `float`.
 * Otherwise as `MDSWriter`.
 */
export class JSONWriter extends SampleWriter {
  /** Touches nothing. @throws SpiralError as `MDSWriter`. */
  constructor(options: LineWriterOptions) {
    super('JSONWriter', options, ['newline'], (common) => {
      return new JsonLayout(options.columns, lineEnd('newline', options.newline), common);
    });
  }
}
