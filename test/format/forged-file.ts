import { Schema } from 'apache-arrow';
import { Footer } from 'apache-arrow/ipc/metadata/file';
import { checksum } from '../../src/arrow/checksum.js';
import {
  decodeIndex,
  encodeIndex,
  type FileIndex,
  footerChecksumKey,
  footerChecksumMark,
  footerChecksumPlace,
  indexKey,
} from '../../src/format/arrow-index.js';

/** `bytes`, a table file, with another text for its index, and with a footer checksum that holds. */
export function withIndexText(bytes: Uint8Array, text: (before: string) => string | undefined): Uint8Array {
  const view = Buffer.from(bytes);
  const length = view.readInt32LE(view.length - 10);
  const footer = Footer.decode(bytes.slice(bytes.length - 10 - length, bytes.length - 10));
  const metadata = new Map(footer.schema.metadata);
  const changed = text(metadata.get(indexKey)!);
  if (changed === undefined) metadata.delete(indexKey);
  else metadata.set(indexKey, changed);
  metadata.set(footerChecksumKey, `${footerChecksumMark}00000000`);
  const schema = new Schema(footer.schema.fields, metadata);
  const sealed = Footer.encode(
    new Footer(schema, footer.version, [...footer.recordBatches()], [...footer.dictionaryBatches()]),
  ).slice();
  sealed.set(Buffer.from(checksum(sealed).toString(16).padStart(8, '0')), footerChecksumPlace(sealed));
  const body = bytes.subarray(0, bytes.length - 10 - length);
  const size = Buffer.alloc(4);
  size.writeInt32LE(sealed.length);
  return new Uint8Array(Buffer.concat([body, sealed, size, Buffer.from('ARROW1')]));
}

/** `bytes` with another index. */
export function withIndex(bytes: Uint8Array, change: (before: FileIndex) => FileIndex): Uint8Array {
  return withIndexText(bytes, (before) => encodeIndex(change(decodeIndex(before, 'the test'))));
}
