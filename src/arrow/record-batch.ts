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
  const batch = Object.create(RecordBatch.prototype) as { -readonly [key in keyof RecordBatch]: RecordBatch[key] };
  batch.schema = schema;
  batch.data = new Data(type, 0, rows, 0, undefined, columns);
  return Object.assign(batch, { _metadata: new Map() }) as unknown as RecordBatch;
}

/** Rows `from … from + rows` of `batch`, as views of its memory. */
export function sliceBatch(batch: RecordBatch, from: number, rows: number): RecordBatch {
  const columns = batch.data.children.map((data) => data.slice(from, rows));
  return recordBatch(batch.schema, columns, rows);
}
