import type { LineWriterOptions } from './json-writer.js';
import { SampleWriter } from './sample-writer.js';
import { SeparatedLayout } from './separated-layout.js';
import { separators } from './xsv-writer.js';

/** Writes a data set of MosaicML Streaming in shards of values with commas between them. As `XSVWriter`. */
export class CSVWriter extends SampleWriter {
  /** Touches nothing. @throws SpiralError as `MDSWriter`. */
  constructor(options: LineWriterOptions) {
    super('CSVWriter', options, ['newline'], (common) => {
      return new SeparatedLayout('csv', options.columns, separators(',', options.newline), common);
    });
  }
}
