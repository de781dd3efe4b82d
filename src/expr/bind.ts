import { DataType, Field, Null, Struct } from 'apache-arrow';
import { parseType } from '../arrow/words.js';
import { listed } from '../core/check.js';
import { SpiralError } from '../core/errors.js';
import type { BoundExpr, BoundLiteral, BoundStruct } from './bound.js';
import { typeText } from './call-site.js';
import { getField } from './get-field.js';
import { literalValue } from './literal.js';
import { literalValues } from './literal-values.js';
import { type CallNode, type ExprNode, expressionDepthMax, type LiteralNode } from './node.js';
import { nodeText } from './node-text.js';
import { classOf } from './promote.js';
import { rules } from './rules.js';
import { type SourceNode, unknownName, unknownPath } from './source-node.js';

/** A table of an expression. */
export interface BindTable {
  /** For messages. */
  readonly name: string;
  readonly fields: readonly SourceNode[];
  /** Columns that are found by their names, and are none of the table as a struct. */
  readonly aside?: readonly SourceNode[];
}

/** What the tables and the auxiliary columns of an expression are. */
export interface BindScope {
  /** The columns of the table with this id, and its name for messages; undefined for a table that is not read. */
  table(id: string): BindTable | undefined;
  /** The types of the auxiliary columns; undefined where there are none to speak of. */
  readonly aux?: ReadonlyMap<string, DataType>;
}

/**
 * Binds `node` to columns: finds each of its functions and types each part of it.
 *
 * @throws SpiralError `unknown_column`, with near names; `type_mismatch` for a function of types it does not take, naming
 * expression and types; `invalid_expression` for a table or an auxiliary column that is not there, a field of what is no
 * struct, or a bad setting.
 */
export function bindExpr(node: ExprNode, scope: BindScope, depth = 0): BoundExpr {
  if (depth > expressionDepthMax) {
    throw new SpiralError('invalid_expression', `Expected an expression of at most ${expressionDepthMax} levels.`);
  }
  switch (node.kind) {
    case 'table':
      return wholeTable(node, scope);
    case 'field':
      return bindField(node, scope, depth);
    case 'select':
      return bindSelect(node, scope, depth);
    case 'pack':
      return packed(
        node,
        node.fields.map(([name, value]) => [name, bindExpr(value, scope, depth + 1)] as const),
      );
    case 'merge':
      return bindMerge(node, scope, depth);
    case 'aux':
      return bindAux(node, scope);
    case 'literal':
      return bindLiteral(node);
    case 'call':
      return bindCall(node, scope, depth);
  }
}

/**
 * Binds a predicate, as {@link bindExpr}.
 *
 * @throws SpiralError `type_mismatch` for one that is not boolean.
 */
export function bindPredicate(node: ExprNode, scope: BindScope): BoundExpr {
  const bound = bindExpr(node, scope);
  if (classOf(bound.type) === 'bool') return bound;
  const found = typeText(bound.type);
  const text = nodeText(node);
  throw new SpiralError(
    'type_mismatch',
    `Expected a predicate, which is true or false, got ${found} from the expression ${text}. Compare it with something: ` +
      '`a.gt(0)`, `a.isNotNull()`.',
    { details: { expression: text, expected: 'bool', found } },
  );
}

function named(fields: readonly SourceNode[], name: string): SourceNode | undefined {
  return fields.find((field) => field.name === name);
}

function tableOf(node: ExprNode & { kind: 'table' }, scope: BindScope): BindTable {
  const table = scope.table(node.table);
  if (table !== undefined) return table;
  throw new SpiralError('invalid_expression', `The expression reads the table ${node.table}, which is not read here.`, {
    details: { table: node.table },
  });
}

function wholeTable(node: ExprNode & { kind: 'table' }, scope: BindScope): BoundExpr {
  return sourceExpr(node, { name: '', fields: tableOf(node, scope).fields });
}

/** A part of a table's tree: `node` is the expression that it came from. */
function sourceExpr(node: ExprNode, source: SourceNode): BoundExpr {
  if ('column' in source) return { kind: 'column', node, column: source.column.id, type: source.column.type };
  return packed(
    node,
    source.fields.map(
      (field) => [field.name, sourceExpr({ kind: 'field', of: node, name: field.name }, field)] as const,
    ),
  );
}

function packed(node: ExprNode, fields: readonly (readonly [name: string, value: BoundExpr])[]): BoundStruct {
  const names = fields.map(([name]) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    throw new SpiralError(
      'invalid_expression',
      `Expected one field '${twice}' in the struct ${nodeText(node)}, got two.`,
      {
        details: { expression: nodeText(node), column: twice },
      },
    );
  }
  const untyped = fields.find(([, value]) => DataType.isNull(value.type));
  if (untyped !== undefined) {
    throw new SpiralError(
      'invalid_expression',
      `Expected a type for the null '${untyped[0]}' of the struct ${nodeText(node)}: se.cast(null, 'int32').`,
      { details: { expression: nodeText(node), column: untyped[0] } },
    );
  }
  // Structs of columns are never null; every column may be.
  const type = new Struct(fields.map(([name, value]) => new Field(name, value.type, value.kind !== 'struct')));
  return { kind: 'struct', node, type, parts: fields.map(([, value]) => value) };
}

function bindField(node: ExprNode & { kind: 'field' }, scope: BindScope, depth: number): BoundExpr {
  const path = [node.name];
  let { of } = node;
  for (; of.kind === 'field'; of = of.of) path.unshift(of.name);
  if (of.kind !== 'table') return getField(node, bindExpr(node.of, scope, depth + 1), node.name);
  const table = tableOf(of, scope);
  let at: SourceNode = { name: '', fields: table.fields };
  for (const [step, name] of path.entries()) {
    if ('column' in at) {
      const rest = path.slice(step);
      if (classOf(at.column.type) !== 'struct')
        throw noStruct(at, path.slice(0, step).join('.'), rest.join('.'), table.name);
      let field = sourceExpr(node, at);
      for (const inner of rest) field = getField(node, field, inner);
      return field;
    }
    const found: SourceNode | undefined =
      (step === 0 ? named(table.aside ?? [], name) : undefined) ?? named(at.fields, name);
    if (found === undefined) {
      // Files of others have columns with dots in their names.
      const dotted = named(at.fields, path.slice(step).join('.'));
      if (dotted !== undefined) return sourceExpr(node, dotted);
      throw unknownPath(table.fields, path.join('.'), table.name);
    }
    at = found;
  }
  return sourceExpr(node, at);
}

function noStruct(node: SourceNode, path: string, wanted: string, where: string): SpiralError {
  return new SpiralError(
    'invalid_expression',
    `Expected a struct with '${wanted}' in it, but '${path}' of ${where} is a column.`,
    { details: { table: where, column: node.name, wanted } },
  );
}

/** The fields of a struct, by name. */
function fieldsOf(node: ExprNode, bound: BoundExpr): [name: string, value: BoundExpr][] {
  if (bound.kind === 'struct') return bound.parts.map((part, at) => [bound.type.children[at]!.name, part]);
  if (DataType.isStruct(bound.type)) {
    return bound.type.children.map((field) => [
      field.name,
      getField({ kind: 'field', of: bound.node, name: field.name }, bound, field.name),
    ]);
  }
  throw new SpiralError(
    'invalid_expression',
    `Expected a struct, got ${typeText(bound.type)} from ${nodeText(bound.node)} in the expression ${nodeText(node)}. ` +
      'Give it a name: { name: … }.',
    { details: { expression: nodeText(node), found: typeText(bound.type) } },
  );
}

function bindSelect(node: ExprNode & { kind: 'select' }, scope: BindScope, depth: number): BoundExpr {
  const paths = node.paths.map((path) => path.split('.'));
  return selected(node, bindExpr(node.of, scope, depth + 1), paths);
}

/** Some fields of a struct, in the order in which paths first name them, within each struct as well; or all but those. */
function selected(
  node: ExprNode & { kind: 'select' },
  of: BoundExpr,
  paths: readonly (readonly string[])[],
): BoundExpr {
  const fields = fieldsOf(node, of);
  const byName = new Map(fields);
  const inner = new Map<string, (readonly string[])[]>();
  for (const path of paths) {
    const isDotted = !byName.has(path[0]!) && byName.has(path.join('.'));
    const [name, ...rest] = (isDotted ? [path.join('.')] : path) as [string, ...string[]];
    if (!byName.has(name)) throw unknownName('field', [...byName.keys()], name, nodeText(of.node));
    const before = inner.get(name);
    if (before === undefined) inner.set(name, [rest]);
    else before.push(rest);
  }
  const isWhole = (name: string): boolean => inner.get(name)!.some((rest) => rest.length === 0);
  const kept = node.exclude
    ? fields.filter(([name]) => !(inner.has(name) && isWhole(name))).map(([name]) => name)
    : [...inner.keys()];
  return packed(
    node,
    kept.map((name) => {
      const value = byName.get(name)!;
      return [name, !inner.has(name) || isWhole(name) ? value : selected(node, value, inner.get(name)!)] as const;
    }),
  );
}

function bindMerge(node: ExprNode & { kind: 'merge' }, scope: BindScope, depth: number): BoundExpr {
  return mergedStruct(
    node,
    node.of.map((part) => fieldsOf(node, bindExpr(part, scope, depth + 1))),
  );
}

/** Structs put together: of two fields with one name the last wins, structs are merged in turn. */
function mergedStruct(node: ExprNode, structs: readonly (readonly [string, BoundExpr][])[]): BoundStruct {
  const fields = new Map<string, BoundExpr>();
  for (const [name, value] of structs.flat()) {
    const before = fields.get(name);
    const both = before !== undefined && DataType.isStruct(before.type) && DataType.isStruct(value.type);
    fields.set(name, both ? mergedStruct(node, [fieldsOf(node, before), fieldsOf(node, value)]) : value);
  }
  return packed(node, [...fields]);
}

function bindAux(node: ExprNode & { kind: 'aux' }, scope: BindScope): BoundExpr {
  const type = parseType(node.type, `aux '${node.name}'`);
  const given = scope.aux?.get(node.name);
  if (scope.aux === undefined || given === undefined) {
    const has =
      scope.aux === undefined || scope.aux.size === 0
        ? 'there are none'
        : `there are ${listed([...scope.aux.keys()], 'and')}`;
    throw new SpiralError(
      'invalid_expression',
      `Expected an auxiliary column '${node.name}' beside the keys of a key table, but ${has}.`,
      { details: { aux: node.name } },
    );
  }
  if (typeText(given) !== typeText(type)) {
    throw new SpiralError(
      'type_mismatch',
      `Expected the auxiliary column '${node.name}' to be ${typeText(type)}, as ${nodeText(node)} says, got ${typeText(given)}.`,
      { details: { aux: node.name, expected: typeText(type), found: typeText(given) } },
    );
  }
  return { kind: 'aux', node, name: node.name, type: given };
}

function bindLiteral(node: LiteralNode): BoundLiteral {
  const isWeak = node.weak === true;
  if (node.type === 'null') return { kind: 'literal', node, type: nullType, value: null, weak: true };
  const type = parseType(node.type, 'a literal');
  const literal: BoundLiteral = { kind: 'literal', node, type, value: literalValue(type, node.value), weak: isWeak };
  try {
    literalValues(literal);
  } catch (cause) {
    throw new SpiralError('invalid_expression', `Expected a constant that ${node.type} holds, got ${nodeText(node)}.`, {
      details: { expected: node.type, found: nodeText(node) },
      cause,
    });
  }
  return literal;
}

function bindCall(node: CallNode, scope: BindScope, depth: number): BoundExpr {
  const rule = rules[node.fn];
  const [min, max] = rule.count;
  if (node.args.length < min || node.args.length > max) {
    const most = max === Number.POSITIVE_INFINITY ? `${min} or more` : `${min} to ${max}`;
    const count = min === max ? `${min}` : most;
    throw new SpiralError(
      'invalid_expression',
      `Expected '${node.fn}' to have ${count} argument(s), got ${node.args.length} in the expression ${nodeText(node)}.`,
      { details: { expression: nodeText(node), fn: node.fn } },
    );
  }
  const args = node.args.map((arg) => bindExpr(arg, scope, depth + 1));
  const bound = rule.bind({ node, args });
  if (bound.run === undefined) return { kind: 'effect', node, type: bound.type, args: bound.args };
  return { kind: 'call', node, type: bound.type, args: bound.args, run: bound.run };
}

const nullType = new Null();
