import { Bool, type Data, DataType, Field, Int32, List, Struct } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import { gatherColumn } from '../arrow/gather.js';
import { nullColumn } from '../arrow/nulls.js';
import { type Ranges, rowRanges } from '../arrow/ranges.js';
import { columnSources } from '../arrow/sources.js';
import type { BoundExpr } from './bound.js';
import { badCall, type CallSite, mistyped, type Rule, type Rules } from './call-site.js';
import { castKernel } from './cast.js';
import { castTo } from './cast-rule.js';
import { compareValues } from './compare.js';
import { comparable, settledPair } from './compare-rules.js';
import type { FunctionName } from './function-name.js';
import { elementOf, listsOf } from './list-view.js';
import { doublesOf } from './number-view.js';
import { isSound } from './overflow.js';
import { plainData } from './plain-values.js';
import { classOf, commonType, plainType } from './promote.js';
import { intArg } from './str-rules.js';
import { allConstant, strict, type ValidBits } from './strict.js';
import {
  columnValues,
  dataOf,
  isNullAt,
  markNulls,
  trueBits,
  truthArray,
  truthOf,
  truthValues,
  type Values,
  validityOfBits,
} from './values.js';

const bool = new Bool();
const int32 = new Int32();

function listArg(site: CallSite, arg: BoundExpr): BoundExpr {
  if (classOf(arg.type) === 'list') return arg;
  throw mistyped(site, 'a list');
}

function listType(element: DataType): List {
  return new List(new Field('item', element, true));
}

/** Rows whose elements are `ranges` of `sources`' elements. */
function listData(
  type: DataType,
  offsets: Int32Array,
  sources: readonly Data[],
  ranges: Ranges,
  valid: ValidBits,
): Data {
  const child = gatherColumn(columnSources(elementOf(type), sources), ranges);
  return makeColumn(type, offsets.length - 1, validityOfBits(valid), { offsets, children: [child] });
}

const length: Rule = {
  count: [1, 1],
  bind: (site) => ({
    type: int32,
    args: [listArg(site, site.args[0]!)],
    run: strict(int32, (args, _rows, valid) => {
      const data = dataOf(args[0]!);
      const { offsets } = listsOf(data);
      const values = new Int32Array(data.length);
      for (let row = 0; row < values.length; row++) values[row] = offsets[row + 1]! - offsets[row]!;
      return columnValues(makeColumn(int32, data.length, validityOfBits(valid), { values }), allConstant(args));
    }),
  }),
};

/** A number counted from the end where it is below 0. */
const placeIn = (place: number, size: number): number => (place < 0 ? size + place : place);

const elementAt: Rule = {
  count: [2, 2],
  bind: (site) => {
    const list = listArg(site, site.args[0]!);
    const type = plainType(elementOf(list.type));
    const args = [list, intArg(site, site.args[1]!)];
    return {
      type,
      args,
      run: strict(type, (values, rows, valid) => {
        const [lists, places] = [dataOf(values[0]!), doublesOf(dataOf(values[1]!))];
        const { offsets, child } = listsOf(lists);
        const source = new Int32Array(rows);
        const at = new Int32Array(rows);
        for (let row = 0; row < rows; row++) {
          const own = values[0]!.constant ? 0 : row;
          const size = offsets[own + 1]! - offsets[own]!;
          const place = placeIn(places[values[1]!.constant ? 0 : row]!, size);
          const isThere = isSound(valid, row) && place >= 0 && place < size;
          source[row] = isThere ? 0 : 1;
          at[row] = isThere ? offsets[own]! + place : 0;
        }
        const sources = columnSources(type, [plainData(child), nullColumn(type, 1)]);
        return columnValues(gatherColumn(sources, rowRanges(source, at)), allConstant(values));
      }),
    };
  },
};

const slice: Rule = {
  count: [2, 3],
  bind: (site) => {
    const list = listArg(site, site.args[0]!);
    const type = listType(elementOf(list.type));
    const args = [list, ...site.args.slice(1).map((arg) => intArg(site, arg))];
    return { type, args, run: strict(type, (values, rows, valid) => slicedLists(type, values, rows, valid)) };
  },
};

function slicedLists(type: DataType, values: readonly Values[], rows: number, valid: ValidBits): Values {
  const [lists, starts, ends] = values as [Values, Values, Values | undefined];
  const { offsets, child } = listsOf(dataOf(lists));
  const from = doublesOf(dataOf(starts));
  const to = ends === undefined ? undefined : doublesOf(dataOf(ends));
  const out = new Int32Array(rows + 1);
  const start = new Int32Array(rows);
  const lengths = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    out[row + 1] = out[row]!;
    if (!isSound(valid, row)) continue;
    const own = lists.constant ? 0 : row;
    const size = offsets[own + 1]! - offsets[own]!;
    const held = (place: number): number => Math.min(size, Math.max(0, placeIn(place, size)));
    const first = held(from[starts.constant ? 0 : row]!);
    const last = to === undefined ? size : held(to[ends!.constant ? 0 : row]!);
    start[row] = offsets[own]! + first;
    lengths[row] = Math.max(0, last - first);
    out[row + 1]! += lengths[row]!;
  }
  const ranges = { count: rows, source: new Int32Array(rows), start, lengths, total: out[rows]! };
  return columnValues(listData(type, out, [child], ranges, valid), allConstant(values));
}

const contains: Rule = {
  count: [2, 2],
  bind: (site) => {
    const list = listArg(site, site.args[0]!);
    const element = plainType(elementOf(list.type));
    const stand: BoundExpr = { kind: 'aux', node: list.node, name: '', type: element };
    const [own, wanted] = comparable(site, stand, site.args[1]!);
    const cast = own === stand ? undefined : castKernel(element, own.type);
    return {
      type: bool,
      args: [list, wanted],
      run: strict(bool, (values, rows, valid, where) => {
        const [lists, value] = values as [Values, Values];
        const { offsets, child } = listsOf(dataOf(lists));
        const plain = columnValues(plainData(child));
        const elements = cast === undefined ? plain : cast([plain], child.length, where);
        return listsContaining(offsets, elements, lists, value, rows, valid);
      }),
    };
  },
};

function listsContaining(
  offsets: Int32Array,
  elements: Values,
  lists: Values,
  value: Values,
  rows: number,
  valid: ValidBits,
): Values {
  const size = dataOf(elements).length;
  const wanted = value.constant ? value : columnValues(spread(dataOf(value), offsets, lists.constant, rows, size));
  const truth = truthArray(rows);
  if (lists.constant && !value.constant) {
    const each = Array.from({ length: offsets[1]! - offsets[0]! }, (_, at) => offsets[0]! + at);
    for (const at of each) {
      if (isNullAt(dataOf(elements), at)) continue;
      const one = columnValues(dataOf(elements).slice(at, 1), true);
      const isSame = truthOf(compareValues('eq', value, one, rows));
      for (let row = 0; row < rows; row++) if (isSame[row] === trueBits) truth[row] = trueBits;
    }
  } else if (size > 0) {
    const isSame = truthOf(compareValues('eq', elements, wanted, size));
    for (let row = 0; row < rows; row++) {
      for (let at = offsets[row]!; at < offsets[row + 1]!; at++) if (isSame[at] === trueBits) truth[row] = trueBits;
    }
  }
  markNulls(truth, valid);
  return truthValues(truth, lists.constant && value.constant);
}

/** The value of each row, for each element of the row's list. */
function spread(data: Data, offsets: Int32Array, isConstant: boolean, rows: number, size: number): Data {
  const row = new Int32Array(size);
  if (!isConstant) for (let at = 0; at < rows; at++) row.fill(at, offsets[at]!, offsets[at + 1]!);
  return gatherColumn(columnSources(data.type, [data]), rowRanges(new Int32Array(size), row));
}

/** Arguments as one type. */
function unified(site: CallSite, args: readonly BoundExpr[]): [BoundExpr[], DataType] {
  const first = args.find((arg) => arg.kind !== 'literal') ?? args[0]!;
  const settled = args.map((arg) => (arg === first ? arg : settledPair(first, arg)[1]));
  let type: DataType | undefined = plainType(first.type);
  for (const arg of settled) type = type && commonType(type, arg.type);
  if (type === undefined || DataType.isNull(type))
    throw mistyped(site, 'values of one type', 'Cast those that differ.');
  const to = type;
  return [settled.map((arg) => castTo(arg, to)), to];
}

const of: Rule = {
  count: [1, Number.POSITIVE_INFINITY],
  bind: (site) => {
    const [args, element] = unified(site, site.args);
    const type = listType(element);
    return {
      type,
      args,
      run: (values, rows) => {
        const offsets = Int32Array.from({ length: rows + 1 }, (_, row) => row * values.length);
        const source = Int32Array.from({ length: rows * values.length }, (_, at) => at % values.length);
        const row = source.map((from, at) => (values[from]!.constant ? 0 : Math.floor(at / values.length)));
        const data = listData(type, offsets, values.map(dataOf), rowRanges(source, row), undefined);
        return columnValues(data, allConstant(values));
      },
    };
  },
};

const concat: Rule = {
  count: [1, Number.POSITIVE_INFINITY],
  bind: (site) => {
    const lists = site.args.map((arg) => listArg(site, arg));
    const elements = lists.map((arg) => elementOf(arg.type));
    let element: DataType | undefined = elements[0];
    for (const other of elements) element = element && commonType(element, other);
    if (element === undefined) throw mistyped(site, 'lists of one type', 'Cast those that differ.');
    const type = listType(plainType(element));
    const args = lists.map((arg) => castTo(arg, type));
    return { type, args, run: strict(type, (values, rows, valid) => joinedLists(type, values, rows, valid)) };
  },
};

function joinedLists(type: DataType, values: readonly Values[], rows: number, valid: ValidBits): Values {
  const views = values.map((value) => listsOf(dataOf(value)));
  const count = rows * views.length;
  const ranges = { source: new Int32Array(count), start: new Int32Array(count), lengths: new Int32Array(count) };
  const offsets = new Int32Array(rows + 1);
  for (let row = 0, at = 0; row < rows; row++) {
    offsets[row + 1] = offsets[row]!;
    for (let from = 0; from < views.length; from++, at++) {
      ranges.source[at] = from;
      if (!isSound(valid, row)) continue;
      const own = values[from]!.constant ? 0 : row;
      ranges.start[at] = views[from]!.offsets[own]!;
      ranges.lengths[at] = views[from]!.offsets[own + 1]! - ranges.start[at]!;
      offsets[row + 1]! += ranges.lengths[at]!;
    }
  }
  const children = views.map((view) => view.child);
  const data = listData(type, offsets, children, { count, ...ranges, total: offsets[rows]! }, valid);
  return columnValues(data, allConstant(values));
}

const zip: Rule = {
  count: [1, Number.POSITIVE_INFINITY],
  bind: (site) => {
    const args = site.args.map((arg) => listArg(site, arg));
    const names = zipNames(site);
    const element = new Struct(args.map((arg, at) => new Field(names[at]!, elementOf(arg.type), true)));
    const type = listType(element);
    return { type, args, run: strict(type, (values, rows, valid) => zippedLists(type, values, rows, valid)) };
  },
};

function zipNames(site: CallSite): string[] {
  const given = site.node.options?.['names'];
  if (given === undefined) return site.args.map((_, at) => String(at));
  let names: unknown;
  try {
    names = JSON.parse(String(given));
  } catch {
    names = undefined;
  }
  const isSound =
    Array.isArray(names) &&
    names.length === site.args.length &&
    names.every((name) => typeof name === 'string' && name !== '') &&
    new Set(names).size === names.length;
  if (!isSound) throw badCall(site.node, 'a name of its own for each list');
  return names as string[];
}

function zippedLists(type: List, values: readonly Values[], rows: number, valid: ValidBits): Values {
  const views = values.map((value) => listsOf(dataOf(value)));
  const offsets = new Int32Array(rows + 1);
  const starts = values.map((value, from) => (row: number) => views[from]!.offsets[value.constant ? 0 : row]!);
  const ends = values.map((value, from) => (row: number) => views[from]!.offsets[(value.constant ? 0 : row) + 1]!);
  for (let row = 0; row < rows; row++) {
    let longest = 0;
    if (isSound(valid, row)) {
      for (let from = 0; from < views.length; from++)
        longest = Math.max(longest, ends[from]!(row) - starts[from]!(row));
    }
    offsets[row + 1] = offsets[row]! + longest;
  }
  const total = offsets[rows]!;
  const children = views.map((view, from) => {
    const source = new Int32Array(total).fill(1);
    const at = new Int32Array(total);
    for (let row = 0; row < rows; row++) {
      if (!isSound(valid, row)) continue;
      const [start, end] = [starts[from]!(row), ends[from]!(row)];
      for (let element = start; element < end; element++) {
        source[offsets[row]! + element - start] = 0;
        at[offsets[row]! + element - start] = element;
      }
    }
    const { child } = view;
    return gatherColumn(columnSources(child.type, [child, nullColumn(child.type, 1)]), rowRanges(source, at));
  });
  const struct = makeColumn(elementOf(type), total, { nullCount: 0, bits: undefined }, { children });
  const data = makeColumn(type, rows, validityOfBits(valid), { offsets, children: [struct] });
  return columnValues(data, allConstant(values));
}

type ListName = Extract<FunctionName, `list.${string}`>;

/** The functions of `se.list`. */
export const listRules: Rules<ListName> = {
  'list.contains': contains,
  'list.element_at': elementAt,
  'list.of': of,
  'list.zip': zip,
  'list.concat': concat,
  'list.slice': slice,
  'list.length': length,
};
