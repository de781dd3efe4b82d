import { knownOptions, oneOf, wholeNumber } from '../../core/check.js';
import { SpiralError, shown } from '../../core/errors.js';

const dtypes = ['float32', 'int32', 'bool', 'string'] as const;

/** The element type of a tensor. */
export type TensorDtype = (typeof dtypes)[number];

/** How one column becomes one tensor. Every field may be left out. */
export interface ColumnSpec {
  /** The column's name, dotted for a field of a struct. Default: the tensor's own name. */
  readonly column?: string;
  /** The shape of one row, `[28, 28, 1]`. Default: none for a scalar, the lengths of the lists for a list column. */
  readonly shape?: readonly number[];
  /** Default: `float32` for floats, `int32` for integers, `bool` for booleans; text only becomes `string` if asked. */
  readonly dtype?: TensorDtype;
  /** Every value is multiplied by it, then `offset` added; makes the tensor `float32`. Default 1. */
  readonly scale?: number;
  /** Default 0. */
  readonly offset?: number;
  /** The number of classes: a scalar whole number `c` in `[0, oneHot)` becomes a float32 row with a 1 at `c`. */
  readonly oneHot?: number;
}

/** One column, several by name, or tensors by name with how to make each. */
export type TensorSelection = string | readonly string[] | Readonly<Record<string, string | ColumnSpec>>;

/** One tensor that is wanted: its name, its column, and how. */
export interface TensorWish {
  readonly name: string;
  readonly column: string;
  readonly spec: ColumnSpec;
}

/**
 * The tensors that `selection` asks for, in its order.
 *
 * @throws SpiralError `invalid_argument` or `invalid_size` for a selection that could fit no column at all.
 */
export function tensorWishes(role: 'xs' | 'ys', selection: TensorSelection): TensorWish[] {
  if (typeof selection === 'string') return [{ name: selection, column: selection, spec: asItComes }];
  if (typeof selection !== 'object' || selection === null) throw noSelection(role, selection);
  const wishes = Array.isArray(selection)
    ? selection.map((name: unknown) => wishOf(role, String(name), name))
    : Object.entries(selection).map(([name, wanted]) => wishOf(role, name, wanted));
  if (wishes.length === 0) throw noSelection(role, selection);
  return wishes;
}

/** What a column becomes of which nothing but its name is said. */
export const asItComes: ColumnSpec = {};

function wishOf(role: string, name: string, wanted: unknown): TensorWish {
  if (typeof wanted === 'string') return { name, column: wanted, spec: asItComes };
  if (typeof wanted !== 'object' || wanted === null || Array.isArray(wanted))
    throw noSelection(`${role}.${name}`, wanted);
  const spec = wanted as ColumnSpec;
  checkSpec(`${role}.${name}`, spec);
  return { name, column: spec.column ?? name, spec };
}

function checkSpec(where: string, spec: ColumnSpec): void {
  knownOptions(`\`${where}\``, spec, ['column', 'shape', 'dtype', 'scale', 'offset', 'oneHot']);
  if (spec.dtype !== undefined) oneOf(`${where}.dtype`, spec.dtype, dtypes);
  for (const [axis, length] of (spec.shape ?? []).entries()) wholeNumber(`${where}.shape[${axis}]`, length, { min: 1 });
  if (spec.oneHot !== undefined) wholeNumber(`${where}.oneHot`, spec.oneHot, { min: 1, max: 0x7fff_ffff });
  for (const key of ['scale', 'offset'] as const) {
    if (spec[key] === undefined || Number.isFinite(spec[key])) continue;
    throw new SpiralError(
      'invalid_argument',
      `Expected \`${where}.${key}\` to be a finite number, got ${shown(spec[key])}.`,
      { details: { where, key, found: spec[key] } },
    );
  }
  const scaled = spec.scale !== undefined || spec.offset !== undefined;
  const float = spec.dtype === undefined || spec.dtype === 'float32';
  if ((scaled || spec.oneHot !== undefined) && !float) {
    throw new SpiralError(
      'invalid_argument',
      `\`${where}\` asks for dtype '${spec.dtype}', but \`scale\`, \`offset\` and \`oneHot\` make float32. Leave dtype out.`,
      { details: { where, dtype: spec.dtype } },
    );
  }
  if (scaled && spec.oneHot !== undefined) {
    throw new SpiralError('invalid_argument', `\`${where}\` has both oneHot and scale or offset; keep one of them.`, {
      details: { where },
    });
  }
}

function noSelection(where: string, found: unknown): SpiralError {
  return new SpiralError(
    'invalid_argument',
    `Expected \`${where}\` to be a column's name, a list of names, or an object of tensors by name, got ${shown(found)}.`,
    { details: { where, found } },
  );
}
