import type { LineWriterOptions } from './json-writer.js';
import { SampleWriter } from './sample-writer.js';
import { SeparatedLayout } from './separated-layout.js';
import { separators } from './xsv-writer.js';

/** Writes a data set of MosaicML Streaming in shards of values with tabs between them. As `XSVWriter`. */
export class TSVWriter extends SampleWriter {
  /** Touches nothing. @throws SpiralError as `MDSWriter`. */
  constructor(options: LineWriterOptions) {
    super('TSVWriter', options, ['newline'], (common) => {
      return new SeparatedLayout('tsv', options.columns, separators('\t', options.newline), common);
    });
  }
}
