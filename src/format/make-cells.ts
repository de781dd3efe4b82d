import { DataType } from 'apache-arrow';
import { typeWords } from '../arrow/words.js';
import { BinaryCells, BoolCells, FixedBinaryCells, TextCells } from './byte-cells.js';
import type { CellColumn, Cells } from './cells.js';
import { DictionaryCells } from './dictionary-cells.js';
import { FixedListCells, ListCells, StructCells } from './nested-cells.js';
import { DecimalCells, FloatCells, SmallIntCells, WideIntCells } from './number-cells.js';
import { TimeCells } from './time-cells.js';

/** Empty cells for a column of any type. @throws SpiralError `unsupported_type`. */
export function makeCells(column: CellColumn): Cells {
  const { type } = column;
  if (DataType.isInt(type)) return type.bitWidth === 64 ? new WideIntCells(column) : new SmallIntCells(column);
  if (DataType.isFloat(type)) return new FloatCells(column);
  if (DataType.isUtf8(type) || DataType.isLargeUtf8(type)) return new TextCells(column);
  if (DataType.isBool(type)) return new BoolCells(column);
  if (DataType.isDecimal(type)) return new DecimalCells(column);
  if (DataType.isBinary(type) || DataType.isLargeBinary(type)) return new BinaryCells(column);
  if (DataType.isFixedSizeBinary(type)) return new FixedBinaryCells(column);
  if (DataType.isDictionary(type)) return new DictionaryCells(column, makeCells);
  if (DataType.isStruct(type)) return new StructCells(column, makeCells);
  if (DataType.isList(type)) return new ListCells(column, makeCells);
  if (DataType.isFixedSizeList(type)) return new FixedListCells(column, makeCells);
  // What else the package supports are times; the words of any other type are its refusal.
  typeWords(type, `column '${column.column}' of ${column.place.file}`);
  return new TimeCells(column);
}
