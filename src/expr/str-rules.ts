import { isAscii } from 'node:buffer';
import { Bool, type Data, type DataType, Field, Int32, List, Utf8 } from 'apache-arrow';
import { makeColumn } from '../arrow/build-data.js';
import { SpiralError } from '../core/errors.js';
import type { BoundExpr, Kernel } from './bound.js';
import { bytesOf, textReader } from './byte-view.js';
import { argAs, badCall, type CallSite, mistyped, type Rule, type Rules } from './call-site.js';
import type { FunctionName } from './function-name.js';
import { nodeText } from './node-text.js';
import { isSound } from './overflow.js';
import { classOf, plainType } from './promote.js';
import { allConstant, strict } from './strict.js';
import { bytesData, slicedBytes, TextBuilder } from './text-build.js';
import { codePoints, substrings } from './text-slices.js';
import { contains, endsWith, likeTest, startsWith } from './text-tests.js';
import {
  columnValues,
  dataOf,
  lengthOf,
  markNulls,
  truthArray,
  truthValues,
  type Values,
  validityOfBits,
} from './values.js';

const bool = new Bool();
const utf8 = new Utf8();
const int32 = new Int32();

/** An argument that is text. */
export function textArg(site: CallSite, arg: BoundExpr): BoundExpr {
  const fitted = classOf(arg.type) === 'text' ? arg : argAs(arg, utf8);
  if (fitted !== undefined) return fitted;
  throw mistyped(site, 'text', "Cast it first: se.cast(a, 'utf8').");
}

/** An argument that is a whole number. */
export function intArg(site: CallSite, arg: BoundExpr): BoundExpr {
  const fitted = classOf(arg.type) === 'int' ? arg : argAs(arg, int32);
  if (fitted !== undefined) return fitted;
  throw mistyped(site, 'a whole number for a place');
}

/** An argument that is text and a constant: patterns are made ready once. */
function constantText(site: CallSite, arg: BoundExpr): string {
  const text = textArg(site, arg);
  if (text.kind === 'literal' && typeof text.value === 'string') return text.value;
  throw badCall(site.node, `a pattern for ${site.node.fn} that is a constant text`);
}

/** A test of one text against another. */
function test(of: typeof startsWith): Rule {
  return {
    count: [2, 2],
    bind: (site) => ({
      type: bool,
      args: site.args.map((arg) => textArg(site, arg)),
      run: strict(bool, (args, rows, valid) => {
        const truth = truthArray(rows);
        const [text, part] = args as [Values, Values];
        of(bytesOf(dataOf(text)), text.constant ? 0 : 1, bytesOf(dataOf(part)), part.constant ? 0 : 1, truth);
        markNulls(truth, valid);
        return truthValues(truth, allConstant(args));
      }),
    }),
  };
}

/** A test of one text by a pattern, which is made ready once. */
function patternTest(ready: (site: CallSite, pattern: string) => (data: Data, truth: Uint8Array) => void): Rule {
  return {
    count: [2, 2],
    bind: (site) => {
      const of = ready(site, constantText(site, site.args[1]!));
      return {
        type: bool,
        args: [textArg(site, site.args[0]!), textArg(site, site.args[1]!)],
        run: strict(bool, ([text, pattern], _rows, valid) => {
          const data = dataOf(text!);
          const truth = truthArray(data.length);
          of(data, truth);
          markNulls(truth, valid);
          return truthValues(truth, text!.constant && pattern!.constant);
        }),
      };
    },
  };
}

const matches = patternTest((site, pattern) => {
  const expression = regularExpression(site, pattern);
  return (data, truth) => {
    const read = textReader(data);
    for (let row = 0; row < truth.length; row++) truth[row] = expression.test(read(row)) ? 3 : 0;
  };
});

/** Characters of a regular expression. */
const patternMax = 10_000;

function regularExpression(site: CallSite, pattern: string): RegExp {
  const flags = String(site.node.options?.['flags'] ?? '');
  if (!/^[ims]*$/.test(flags)) throw badCall(site.node, "flags among 'i', 'm' and 's'");
  if (pattern.length > patternMax) throw badCall(site.node, `a pattern of at most ${patternMax} characters`);
  try {
    return new RegExp(pattern, `u${flags}`);
  } catch (cause) {
    throw new SpiralError(
      'invalid_expression',
      `Expected a regular expression of JavaScript with the flag 'u' in the expression ${nodeText(site.node)}: ${(cause as Error).message}.`,
      { details: { pattern }, cause },
    );
  }
}

const like = patternTest((site, pattern) => {
  const mark = site.node.options?.['escape'];
  if (mark !== undefined && (typeof mark !== 'string' || [...mark].length !== 1)) {
    throw badCall(site.node, 'one character for `escape`');
  }
  return likeTest(pattern, mark);
});

/** A function of one text that gives text. */
function mapped(of: (text: string) => string, ofAscii?: (bytes: Uint8Array) => Uint8Array): Rule {
  return {
    count: [1, 1],
    bind: (site) => {
      const arg = textArg(site, site.args[0]!);
      const type = plainType(arg.type);
      return {
        type,
        args: [arg],
        run: strict(type, (args, _rows, valid) => {
          const { bytes, offsets } = bytesOf(dataOf(args[0]!));
          const rows = lengthOf(args[0]!);
          const own = bytes.subarray(offsets[0], offsets[rows]);
          if (ofAscii === undefined || !isAscii(own)) return eachText(type, args[0]!, valid, of);
          const moved = offsets.subarray(0, rows + 1).map((offset) => offset - offsets[0]!);
          return columnValues(bytesData(type, moved, ofAscii(own), valid), args[0]!.constant);
        }),
      };
    },
  };
}

function eachText(type: DataType, value: Values, valid: Uint8Array | undefined, of: (text: string) => string): Values {
  const data = dataOf(value);
  const read = textReader(data);
  const builder = new TextBuilder(data.length);
  for (let row = 0; row < data.length; row++) {
    if (isSound(valid, row)) builder.add(of(read(row)));
    else builder.addNothing();
  }
  return columnValues(builder.data(type, valid), value.constant);
}

const length: Rule = {
  count: [1, 1],
  bind: (site) => ({
    type: int32,
    args: [textArg(site, site.args[0]!)],
    run: strict(int32, (args, _rows, valid) => {
      const data = dataOf(args[0]!);
      const values = codePoints(bytesOf(data), data.length);
      return columnValues(makeColumn(int32, data.length, validityOfBits(valid), { values }), allConstant(args));
    }),
  }),
};

const replace: Rule = {
  count: [3, 3],
  bind: (site) => {
    const args = site.args.map((arg) => textArg(site, arg));
    const type = plainType(args[0]!.type);
    return {
      type,
      args,
      run: strict(type, (values, rows, valid) => {
        const [text, from, to] = values.map(readerOf);
        const builder = new TextBuilder(rows);
        for (let row = 0; row < rows; row++) {
          if (!isSound(valid, row)) {
            builder.addNothing();
            continue;
          }
          const wanted = from!(row);
          builder.add(wanted === '' ? text!(row) : text!(row).replaceAll(wanted, () => to!(row)));
        }
        return columnValues(builder.data(type, valid), allConstant(values));
      }),
    };
  },
};

function readerOf(values: Values): (row: number) => string {
  const read = textReader(dataOf(values));
  return values.constant ? () => read(0) : read;
}

const concat: Rule = {
  count: [1, Number.POSITIVE_INFINITY],
  bind: (site) => {
    const args = site.args.map((arg) => textArg(site, arg));
    const type = plainType(args.find((arg) => plainType(arg.type).typeId !== utf8.typeId)?.type ?? utf8);
    return {
      type,
      args,
      run: strict(type, (values, rows, valid) => {
        const parts = values.map((value) => [bytesOf(dataOf(value)), value.constant ? 0 : 1] as const);
        const builder = new TextBuilder(rows);
        for (let row = 0; row < rows; row++) {
          if (isSound(valid, row)) builder.addBytes(parts.map(([view, step]) => [view, row * step] as const));
          else builder.addNothing();
        }
        return columnValues(builder.data(type, valid), allConstant(values));
      }),
    };
  },
};

const split: Rule = {
  count: [2, 2],
  bind: (site) => {
    const args = site.args.map((arg) => textArg(site, arg));
    const type = new List(new Field('item', utf8, true));
    return { type, args, run: strict(type, (values, rows, valid) => splitText(type, values, rows, valid)) };
  },
};

function splitText(type: DataType, values: readonly Values[], rows: number, valid: Uint8Array | undefined): Values {
  const [text, separator] = values.map(readerOf);
  const offsets = new Int32Array(rows + 1);
  const builder = new TextBuilder(0, rows * 16);
  for (let row = 0; row < rows; row++) {
    offsets[row + 1] = offsets[row]!;
    if (!isSound(valid, row)) continue;
    const by = separator!(row);
    // Without a separator, by code points: String.split would cut those beyond 16 bits in two.
    const parts = by === '' ? [...text!(row)] : text!(row).split(by);
    for (const part of parts) builder.add(part);
    offsets[row + 1]! += parts.length;
  }
  const data = makeColumn(type, rows, validityOfBits(valid), { offsets, children: [builder.data(utf8)] });
  return columnValues(data, allConstant(values));
}

const substr: Rule = {
  count: [2, 3],
  bind: (site) => {
    const text = textArg(site, site.args[0]!);
    const places = site.args.slice(1).map((arg) => intArg(site, arg));
    const type = plainType(text.type);
    const run: Kernel = strict(type, (args, rows, valid) => {
      const { bytes, starts, ends } = substrings(args, rows, valid);
      return columnValues(slicedBytes(type, bytes, starts, ends, valid), allConstant(args));
    });
    return { type, args: [text, ...places], run };
  },
};

/** ASCII whose letters `first` to `last` are moved `by`. */
function withCase(bytes: Uint8Array, first: number, last: number, by: number): Uint8Array {
  const moved = new Uint8Array(bytes.length);
  for (let at = 0; at < moved.length; at++) {
    const byte = bytes[at]!;
    moved[at] = byte >= first && byte <= last ? byte + by : byte;
  }
  return moved;
}

type StrName = Extract<FunctionName, `str.${string}`>;

/** The functions of `se.str`. */
export const strRules: Rules<StrName> = {
  'str.length': length,
  'str.lower': mapped(
    (text) => text.toLowerCase(),
    (bytes) => withCase(bytes, 65, 90, 32),
  ),
  'str.upper': mapped(
    (text) => text.toUpperCase(),
    (bytes) => withCase(bytes, 97, 122, -32),
  ),
  'str.trim': mapped((text) => text.trim()),
  'str.starts_with': test(startsWith),
  'str.ends_with': test(endsWith),
  'str.contains': test(contains),
  'str.like': like,
  'str.matches': matches,
  'str.replace': replace,
  'str.split': split,
  'str.concat': concat,
  'str.substr': substr,
};
