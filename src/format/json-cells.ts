import { TextCells } from './byte-cells.js';
import type { Cells } from './cells.js';
import type { JsonText } from './json-text.js';
import { FixedListCells, ListCells, StructCells } from './nested-cells.js';
import { shownText } from './text-place.js';

const closeList = 0x5d;
const closeStruct = 0x7d;

/**
 * Appends the JSON value that comes next in `text` to `cells`. A column of text takes any value, as it is written.
 *
 * @throws SpiralError `corrupt_file` for what is no JSON and for what the column does not take.
 */
export function appendJson(text: JsonText, cells: Cells): void {
  const kind = text.kind();
  const start = text.at;
  switch (kind) {
    case 'null':
      text.word('null');
      cells.appendNull();
      return;
    case 'number':
      text.number();
      cells.appendNumber(text.token, text.tokenFrom, text.tokenTo);
      return;
    case 'text':
      text.string();
      cells.appendText(text.token, text.tokenFrom, text.tokenTo);
      return;
    case 'bool':
      cells.appendBool(text.bool());
      return;
  }
  if (cells instanceof StructCells && kind === 'struct') {
    appendFields(text, cells);
    return;
  }
  if (cells instanceof ListCells && kind === 'list') {
    appendElements(text, cells.child);
    cells.endRow();
    return;
  }
  if (cells instanceof FixedListCells && kind === 'list') {
    appendElements(text, cells.child);
    cells.endRow(text.bytes, start, text.at);
    return;
  }
  text.skip();
  if (cells instanceof TextCells) {
    cells.appendText(text.bytes, start, text.at);
    return;
  }
  throw cells.unlike(text.bytes, start, text.at);
}

/**
 * Appends the fields of the object that comes next, as a row. Fields that `row` does not have are left out.
 *
 * @throws SpiralError `corrupt_file` for what is no object, and for a key that is there twice.
 */
export function appendFields(text: JsonText, row: StructCells): void {
  if (text.enter(closeStruct)) {
    do {
      text.key();
      const cells = row.fields.find(text.token, text.tokenFrom, text.tokenTo);
      if (cells === undefined) text.skip();
      else {
        if (cells.length > row.length) throw doubledKey(text);
        appendJson(text, cells);
      }
    } while (text.goesOn(closeStruct));
  }
  row.endRow();
}

/** The error of the key that was read last and that the object has twice. */
export function doubledKey(text: JsonText): Error {
  const key = shownText(text.token, text.tokenFrom, text.tokenTo);
  return text.place.corrupt('each key once in an object', `${key} twice`, 'Mend the row: remove one of them.');
}

function appendElements(text: JsonText, child: Cells): void {
  if (!text.enter(closeList)) return;
  do appendJson(text, child);
  while (text.goesOn(closeList));
}
