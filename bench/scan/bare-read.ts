import { closeSync, openSync, read, readFileSync } from 'node:fs';
import { Footer } from 'apache-arrow/ipc/metadata/file';
import { Message, type RecordBatch } from 'apache-arrow/ipc/metadata/message';
import type { OpenSide, Pass, Side } from '../benchmark.js';
import { wideFiles } from '../data/wide-rows.js';

/** Reads under way at once: one for each thread that libuv reads with, which is quickest; 9, as a scan has, takes a third longer. */
const concurrency = 4;

interface Range {
  readonly fd: number;
  readonly offset: number;
  readonly length: number;
  readonly rows: number;
}

/**
 * The bytes of the wanted buffers and nothing else: one `fs.read` (callback form, the quickest there is) for each record
 * batch, into a fresh buffer that is not cleared, with four under way. What was read is dropped at once.
 */
export function bareRead(what: 'all columns' | 'last column'): Side {
  return {
    name: 'bare read',
    open: async (): Promise<OpenSide> => {
      const ranges = wideFiles().flatMap((file) => rangesOf(file, what));
      return {
        pass: () => readRanges(ranges),
        close: async () => {
          for (const fd of new Set(ranges.map((range) => range.fd))) closeSync(fd);
        },
      };
    },
  };
}

function readRanges(ranges: readonly Range[]): Promise<Pass> {
  return new Promise((resolve, reject) => {
    let next = 0;
    let done = 0;
    let rows = 0;
    let bytes = 0;
    const start = (): void => {
      const range = ranges[next++];
      if (range === undefined) return;
      read(range.fd, Buffer.allocUnsafeSlow(range.length), 0, range.length, range.offset, (error, count) => {
        if (error !== null || count < range.length) return reject(error ?? new Error('A data file was cut short.'));
        rows += range.rows;
        bytes += count;
        if (++done === ranges.length) resolve({ rows, bytes });
        else start();
      });
    };
    for (let at = 0; at < concurrency; at++) start();
  });
}

/** One range a record batch, from the metadata that stands in the file itself. */
function rangesOf(file: string, what: 'all columns' | 'last column'): Range[] {
  const bytes = readFileSync(file);
  const footerLength = bytes.readInt32LE(bytes.length - 10);
  const footer = Footer.decode(bytes.subarray(bytes.length - 10 - footerLength, bytes.length - 10));
  const fd = openSync(file, 'r');
  return Array.from(footer.recordBatches(), ({ offset, metaDataLength }) => {
    // A message begins with a mark and its length, four bytes each.
    const message = Message.decode(bytes.subarray(offset + 8, offset + metaDataLength));
    const { buffers, length: rows } = message.header() as RecordBatch;
    const last = buffers.at(-1)!;
    const first = what === 'all columns' ? buffers.find((buffer) => buffer.length > 0)! : last;
    const begin = offset + metaDataLength + first.offset;
    return { fd, offset: begin, length: last.offset + last.length - first.offset, rows };
  });
}
