import type { Data, DataType, FixedSizeList, List, Struct } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import { type CellColumn, Cells, grown, trimmed } from './cells.js';
import { FieldIndex } from './field-index.js';

/** Makes the cells of a child. */
export type MakeCells = (column: CellColumn) => Cells;

/** struct: fields by their keys. A row is one as well, of the columns that are read. */
export class StructCells extends Cells {
  protected readonly expected = 'an object';
  readonly fields: FieldIndex<Cells>;
  readonly children: readonly Cells[];

  constructor(column: CellColumn, make: MakeCells) {
    super(column);
    const path = column.column === '' ? '' : `${column.column}.`;
    const { children } = column.type as Struct;
    this.children = children.map(({ name, type }) => make({ ...column, type, column: `${path}${name}` }));
    const byName = new Map(children.map(({ name }, at) => [name, this.children[at]!]));
    this.fields = new FieldIndex((name) => byName.get(name));
  }

  /** Ends a row: fields that it did not have are null. */
  endRow(): void {
    this.length++;
    for (const child of this.children) if (child.length < this.length) child.appendNull();
  }

  data(): Data {
    return makeColumn(this.type, this.length, this.validity, { children: this.children.map((child) => child.data()) });
  }

  protected override appendGap(): void {
    this.endRow();
  }
}

/** list: elements, the child's rows since the last end. */
export class ListCells extends Cells {
  protected readonly expected = 'a list';
  readonly child: Cells;
  #offsets: Int32Array;

  constructor(column: CellColumn, make: MakeCells) {
    super(column);
    this.child = make(elementOf(column, (column.type as List).valueType));
    this.#offsets = new Int32Array(column.rows + 1);
  }

  /** Ends a row. */
  endRow(): void {
    this.appendGap();
  }

  data(): Data {
    const offsets = trimmed(this.#offsets, this.length + 1);
    return makeColumn(this.type, this.length, this.validity, { offsets, children: [this.child.data()] });
  }

  protected override appendGap(): void {
    this.length++;
    if (this.length >= this.#offsets.length) this.#offsets = grown(this.#offsets, this.length + 1);
    this.#offsets[this.length] = this.child.length;
  }
}

/** fixed_size_list: just so many elements. */
export class FixedListCells extends Cells {
  protected readonly expected = 'a list of just its size';
  readonly child: Cells;
  readonly #size: number;

  constructor(column: CellColumn, make: MakeCells) {
    super(column);
    const { listSize, valueType } = column.type as FixedSizeList;
    this.#size = listSize;
    this.child = make(elementOf(column, valueType));
  }

  /** Ends a row, written at `from … to`. @throws SpiralError `corrupt_file` where it has another size. */
  endRow(bytes: Buffer, from: number, to: number): void {
    if (this.child.length !== (this.length + 1) * this.#size) throw this.refused(this.expected, bytes, from, to);
    this.length++;
  }

  data(): Data {
    return makeColumn(this.type, this.length, this.validity, { children: [this.child.data()] });
  }

  protected override appendGap(): void {
    for (let at = 0; at < this.#size; at++) this.child.appendNull();
    this.length++;
  }
}

function elementOf(column: CellColumn, type: DataType): CellColumn {
  return { ...column, type, column: `${column.column}[]` };
}
