import { Data, RecordBatch, type Schema, Struct } from 'apache-arrow';

const structs = new WeakMap<Schema, Struct>();

/**
 * A batch of `rows` rows of `schema` over `columns`, each of that length and type.
 *
 * What `new RecordBatch(schema, data)` gives, without its check of lengths, which builds the schema and the struct anew:
 * 10 µs a batch, more than a small batch takes in all.
 */
export function recordBatch(schema: Schema, columns: Data[], rows: number): RecordBatch {
  let type = structs.get(schema);
  if (type === undefined) {
    type = new Struct(schema.fields);
    structs.set(schema, type);
  }
  return new Batch(schema, new Data(type, 0, rows, 0, undefined, columns)) as unknown as RecordBatch;
}

/** A record batch made by a constructor of its own: V8 gives objects of `Object.create` a new hidden class each. */
const Batch = function (this: Record<string, unknown>, schema: Schema, data: Data): void {
  this['schema'] = schema;
  this['data'] = data;
  this['_metadata'] = new Map();
} as unknown as new (
  schema: Schema,
  data: Data,
) => object;
Batch.prototype = RecordBatch.prototype;

/** Rows `from … from + rows` of `batch`, as views of its memory. */
export function sliceBatch(batch: RecordBatch, from: number, rows: number): RecordBatch {
  const columns = batch.data.children.map((data) => data.slice(from, rows));
  return recordBatch(batch.schema, columns, rows);
}
