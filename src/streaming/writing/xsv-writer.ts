import { SpiralError, shown } from '../../core/errors.js';
import type { LineWriterOptions } from './json-writer.js';
import { SampleWriter } from './sample-writer.js';
import { SeparatedLayout, type Separators } from './separated-layout.js';
import { lineEnd } from './separator-text.js';

/** What `XSVWriter` takes besides. */
export interface XSVWriterOptions extends LineWriterOptions {
  /** What stands between values. */
  readonly separator: string;
}

/**
 * Writes a data set of MosaicML Streaming in shards of separated values, without quotes: text that holds the separator or the
 * newline is refused. Columns are `str`, `int` (a bigint beyond 2 ** 53) and `float`. Otherwise as `MDSWriter`.
 */
export class XSVWriter extends SampleWriter {
  /** Touches nothing. @throws SpiralError as `MDSWriter`. */
  constructor(options: XSVWriterOptions) {
    super('XSVWriter', options, ['newline', 'separator'], (common) => {
      return new SeparatedLayout('xsv', options.columns, separators(options.separator, options.newline), common);
    });
  }
}

/** @throws SpiralError `invalid_argument`. */
export function separators(separator: unknown, newline: unknown): Separators {
  const found = { separator: lineEnd('separator', separator ?? ''), newline: lineEnd('newline', newline) };
  if (!found.separator.includes(found.newline) && !found.newline.includes(found.separator)) return found;
  throw new SpiralError(
    'invalid_argument',
    `Expected a separator and a newline of which none holds the other, got ${shown(separator)} and ${shown(found.newline)}.`,
    { details: { name: 'separator', found } },
  );
}
