import { readFileSync } from 'node:fs';
import { Field, Int8, Schema } from 'apache-arrow';
import * as file from 'apache-arrow/ipc/metadata/file';
import * as message from 'apache-arrow/ipc/metadata/message';
import { expect, test } from 'vitest';

const remedy =
  'src/format uses parts of apache-arrow that it does not document: read its changes to src/ipc/metadata, ' +
  'mend arrow-writer.ts and arrow-file.ts, then name the new version here and pin it in package.json.';

test('apache-arrow is the version whose undocumented parts src/format was written against', () => {
  const manifest = new URL('../../node_modules/apache-arrow/package.json', import.meta.url);
  expect((JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version, remedy).toBe('21.2.0');
});

test('the metadata classes take and give what src/format relies on', () => {
  const schema = new Schema([new Field('a', new Int8(), true)], new Map([['key', 'value']]));
  const blocks = [new file.FileBlock(64, 128n, 8n)];
  const encoded = file.Footer.encode(new file.Footer(schema, schema.metadataVersion, blocks, []));
  const footer = file.Footer.decode(encoded);
  expect(footer.schema.metadata, remedy).toEqual(new Map([['key', 'value']]));
  expect(
    [...footer.recordBatches()].map(({ offset, metaDataLength, bodyLength }) => [offset, metaDataLength, bodyLength]),
    remedy,
  ).toEqual([[8, 64, 128]]);

  const batch = new message.RecordBatch(
    3,
    [new message.FieldNode(3, 1)],
    [new message.BufferRegion(0, 1), new message.BufferRegion(64, 3)],
    new message.BodyCompression(1),
  );
  const read = message.Message.decode(message.Message.encode(message.Message.from(batch, 128)));
  const header = read.header() as message.RecordBatch;
  expect([read.bodyLength, header.length, header.compression?.type], remedy).toEqual([128, 3, 1]);
  expect(
    header.nodes.map(({ length, nullCount }) => [length, nullCount]),
    remedy,
  ).toEqual([[3, 1]]);
  expect(
    header.buffers.map(({ offset, length }) => [offset, length]),
    remedy,
  ).toEqual([
    [0, 1],
    [64, 3],
  ]);

  const dictionary = message.Message.from(new message.DictionaryBatch(batch, 7), 128);
  const values = message.Message.decode(message.Message.encode(dictionary)).header() as message.DictionaryBatch;
  expect([values.id, values.isDelta, values.data.length], remedy).toEqual([7, false, 3]);
});
