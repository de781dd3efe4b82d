import { isSpiralError, SpiralError, shown } from '../core/errors.js';
import type { FragmentRef, Operation } from './operation.js';
import { parseOperation } from './parse-commit.js';
import { storedList, storedObject, storedText, storedWhole, untrusted } from './stored-value.js';
import { newColumnId } from './version.js';

/**
 * One operation of a transaction as JSON, for another transaction on any machine that reaches the table's files. What is
 * in `operation` is this package's own affair.
 */
export interface OperationJson {
  readonly format: 1;
  /** The table's id. */
  readonly table: string;
  /** The table's version that the operation was made against. */
  readonly base: number;
  readonly operation: Readonly<Record<string, unknown>>;
}

/** An operation, and what it was made against. */
export interface TakenOperation {
  readonly table: string;
  readonly base: number;
  readonly operation: Operation;
}

/** The newest format that this version reads and writes. */
const operationFormat = 1;
/** What a transaction may do. */
const kinds: readonly unknown[] = ['write', 'delete', 'drop'];

/** `operation`, made against version `base` of `table`, as JSON: keys in base64. */
export function operationJson({ table, base, operation }: TakenOperation): OperationJson {
  const raw =
    operation.kind === 'write' || operation.kind === 'delete'
      ? { ...operation, fragments: operation.fragments.map(fragmentJson) }
      : { ...operation };
  return { format: operationFormat, table, base, operation: raw };
}

function fragmentJson(fragment: FragmentRef): Record<string, unknown> {
  const { keyMin, keyMax, keyDigest, batchKeys } = fragment;
  return {
    ...fragment,
    keyMin: base64(keyMin),
    keyMax: base64(keyMax),
    keyDigest: base64(keyDigest),
    batchKeys: batchKeys.map(base64),
  };
}

/**
 * The operation that `json` holds.
 *
 * @throws SpiralError `invalid_argument` for what `take()` and `loadDumps()` did not give; `state_version` for a newer
 * format; `path_outside_root`.
 */
export function parseOperationJson(json: unknown): TakenOperation {
  try {
    const raw = storedObject(json, 'an operation');
    const format = storedWhole(raw['format'], 'its format', 1);
    if (format > operationFormat) throw newerFormat(format);
    const table = storedText(raw['table'], "its table's id");
    const base = storedWhole(raw['base'], 'the version it was made against', 1);
    const operation = storedObject(raw['operation'], 'what it does');
    if (!kinds.includes(operation['kind'])) {
      throw untrusted("an operation's kind", 'write, delete or drop', operation['kind']);
    }
    return { table, base, operation: parsed(operation) };
  } catch (error) {
    if (isSpiralError(error, 'state_version', 'path_outside_root')) throw error;
    throw new SpiralError(
      'invalid_argument',
      `Expected operations that \`take()\` or \`Transaction.loadDumps()\` gave, got ${shown(json)}. ` +
        `${isSpiralError(error) ? error.message : ''}`,
      { details: { found: shown(json) }, cause: error },
    );
  }
}

/** By the rules of a log's entries, which know no columns without a number. */
function parsed(raw: Readonly<Record<string, unknown>>): Operation {
  const columns = storedList(raw['columns'], 'the columns of an operation', 1).map((column) =>
    storedObject(column, 'a column'),
  );
  const isNew = columns.map(({ id }) => id === newColumnId);
  const numbered = columns.map((column, at) => (isNew[at] ? { ...column, id: 0 } : column));
  const fragments = raw['kind'] === 'drop' ? undefined : storedList(raw['fragments'], 'its fragments').map(fragmentRaw);
  const operation = parseOperation({ ...raw, columns: numbered, fragments });
  if (operation.kind === 'create' || operation.kind === 'compact') return operation;
  const renumbered = operation.columns.map((column, at) => (isNew[at] ? { ...column, id: newColumnId } : column));
  return { ...operation, columns: renumbered } as Operation;
}

function fragmentRaw(value: unknown): unknown {
  const raw = storedObject(value, 'a fragment');
  return {
    ...raw,
    keyMin: bytes(raw['keyMin']),
    keyMax: bytes(raw['keyMax']),
    keyDigest: bytes(raw['keyDigest']),
    batchKeys: storedList(raw['batchKeys'], 'the keys of record batches').map(bytes),
  };
}

const base64 = (key: Uint8Array): string => Buffer.from(key).toString('base64');
const bytes = (text: unknown): Uint8Array => new Uint8Array(Buffer.from(storedText(text, 'a key'), 'base64'));

function newerFormat(format: number): SpiralError {
  return new SpiralError(
    'state_version',
    `Expected operations of format ${operationFormat}, got format ${format}. They were written by a newer spiral-loader: ` +
      'update this one.',
    { details: { expected: operationFormat, found: format } },
  );
}
