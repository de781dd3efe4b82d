/**
 * Checks that the vectors of Arrow's footers and messages (FlatBuffers, format/File.fbs, Schema.fbs and Message.fbs) lie
 * within their bytes, before apache-arrow decodes them: it believes any length, and a damaged one makes it loop over, and
 * keep, billions of elements.
 */
class FlatCheck {
  readonly #view: DataView;
  /** Tables that may still be visited: each takes four bytes at least, so more are damage. */
  #tables: number;

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#tables = bytes.byteLength >> 2;
  }

  /** The place of the root table. */
  root(): number {
    return this.target(0);
  }

  /** Where the offset at `at` leads. */
  target(at: number): number {
    return at + this.#view.getUint32(at, true);
  }

  /** Where field number `field` of the table at `table` stands; undefined where it is left out. */
  field(table: number, field: number): number | undefined {
    const directory = table - this.#view.getInt32(table, true);
    const entry = 4 + 2 * field;
    if (entry + 2 > this.#view.getUint16(directory, true)) return undefined;
    const offset = this.#view.getUint16(directory + entry, true);
    return offset === 0 ? undefined : table + offset;
  }

  /** The table that field `field` of `table` refers to. */
  child(table: number, field: number): number | undefined {
    const at = this.field(table, field);
    return at === undefined ? undefined : this.target(at);
  }

  /** The elements of the vector that field `field` of `table` refers to, `size` bytes each. */
  vector(table: number, field: number, size: number): { start: number; length: number } {
    const at = this.child(table, field);
    if (at === undefined) return { start: 0, length: 0 };
    const length = this.#view.getUint32(at, true);
    if (at + 4 + length * size > this.#view.byteLength)
      throw new Error(`a list of ${length} elements reaches beyond its bytes`);
    return { start: at + 4, length };
  }

  /** The tables that a vector of offsets refers to. */
  tables(table: number, field: number): number[] {
    const { start, length } = this.vector(table, field, 4);
    this.#tables -= length;
    if (this.#tables < 0) throw new Error('lists refer to the same places again and again');
    return Array.from({ length }, (_, at) => this.target(start + 4 * at));
  }
}

/** @throws Error unless every list of the footer in `bytes` lies within them. */
export function checkFooterLists(bytes: Uint8Array): void {
  const check = new FlatCheck(bytes);
  const root = check.root();
  check.vector(root, 2, 24);
  check.vector(root, 3, 24);
  check.tables(root, 4);
  const schema = check.child(root, 1);
  if (schema === undefined) throw new Error('there is no schema');
  check.tables(schema, 2);
  check.vector(schema, 3, 8);
  const visit = (field: number): void => {
    check.tables(field, 6);
    check.tables(field, 5).forEach(visit);
  };
  check.tables(schema, 1).forEach(visit);
}

/** @throws Error unless every list of the record batch or dictionary message in `bytes` lies within them. */
export function checkMessageLists(bytes: Uint8Array, kind: 'batch' | 'dictionary'): void {
  const check = new FlatCheck(bytes);
  const root = check.root();
  check.tables(root, 4);
  const header = check.child(root, 2);
  const batch = header === undefined || kind === 'batch' ? header : check.child(header, 1);
  if (batch === undefined) throw new Error('there is no record batch');
  check.vector(batch, 1, 16);
  check.vector(batch, 2, 16);
  check.vector(batch, 4, 8);
}
