import type { DataType } from 'apache-arrow';
import { listed, nearest } from '../core/check.js';
import { SpiralError } from '../core/errors.js';

/**
 * A field of the rows that an expression is bound to: a stored column, numbered for {@link ExprInput}, or a struct, never
 * null, of fields. A table's tree of columns is one.
 */
export type SourceNode =
  | { readonly name: string; readonly column: SourceColumn }
  | { readonly name: string; readonly fields: readonly SourceNode[] };

/** A stored column. */
export interface SourceColumn {
  readonly id: number;
  readonly type: DataType;
}

/** Every path of `fields`, structs included. */
function pathsOf(fields: readonly SourceNode[], before = ''): string[] {
  return fields.flatMap((node) => {
    const path = before + node.name;
    return 'column' in node ? [path] : [path, ...pathsOf(node.fields, `${path}.`)];
  });
}

/** The error for a path that is not there, with the names near it. */
export function unknownPath(fields: readonly SourceNode[], path: string, where: string): SpiralError {
  return unknownName('column', pathsOf(fields), path, where);
}

/** The error for a field that a struct has not, with the names near it. */
export function unknownName(what: string, names: readonly string[], wanted: string, where: string): SpiralError {
  const near = nearest(wanted, names);
  const has = names.length === 0 ? 'It has none.' : `It has ${listed(names.slice(0, 20), 'and')}.`;
  const hint = near.length > 0 ? `Did you mean ${listed(near)}?` : has;
  return new SpiralError('unknown_column', `${where} has no ${what} '${wanted}'. ${hint}`, {
    details: { table: where, column: wanted, near },
  });
}
