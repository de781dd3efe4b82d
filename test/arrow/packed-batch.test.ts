import { Data, type DataType, Field, RecordBatch, Schema, Struct } from 'apache-arrow';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { gatherBatch } from '../../src/arrow/gather.js';
import { BatchPacker, BatchUnpacker, type PackedDictionary } from '../../src/arrow/packed-batch.js';
import { oneRange } from '../../src/arrow/ranges.js';
import { batchRows } from '../../src/arrow/rows.js';
import { columnSources } from '../../src/arrow/sources.js';
import { lawRuns } from '../laws.js';
import { arbColumns } from './columns.js';

function batchOf(type: DataType, column: Data): RecordBatch {
  const schema = new Schema([new Field('a', type, true), new Field('b', type, true)]);
  return new RecordBatch(schema, new Data(new Struct(schema.fields), 0, column.length, 0, undefined, [column, column]));
}

test('a batch comes out of another thread as it went in, gathered or not, dictionaries once', () => {
  fc.assert(
    fc.property(arbColumns({ most: 3 }), fc.boolean(), ({ type, columns }, gathered) => {
      const packer = new BatchPacker();
      const schema = new Schema([new Field('a', type, true), new Field('b', type, true)]);
      const unpacker = new BatchUnpacker(schema);
      for (const column of columns) {
        const plain = batchOf(type, column);
        const sources = plain.data.children.map((data) => columnSources(type, [data]));
        const batch = gathered ? gatherBatch(schema, sources, oneRange(0, column.length)) : plain;
        const expected = batchRows(batch);
        const fresh: PackedDictionary[] = [];
        const packed = packer.pack(batch, fresh);
        const buffers = [packed.buffer, ...fresh.map(({ values }) => values.buffer)];
        const crossed = structuredClone({ packed, fresh }, { transfer: [...new Set(buffers)] });
        unpacker.learn(crossed.fresh);
        expect(batchRows(unpacker.unpack(crossed.packed))).toEqual(expected);
        const again: PackedDictionary[] = [];
        packer.pack(batchOf(type, column), again);
        if (!gathered) expect(again).toEqual([]);
      }
    }),
    { numRuns: lawRuns(150, 3000) },
  );
});
