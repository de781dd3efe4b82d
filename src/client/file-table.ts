import type { Schema } from 'apache-arrow';
import { oneOf } from '../core/check.js';
import { Expr } from '../expr/expr.js';
import { keyFieldName } from '../expr/node.js';
import type { FileFormat } from '../scan/file-format.js';
import { fileKeySchema } from '../scan/file-plan.js';
import { fileSetId } from '../scan/file-set.js';
import type { OpenFiles } from '../scan/open-files.js';

/**
 * Files that are read as one table, as they were when they were opened; made by `Spiral.files`. As an expression it is the
 * struct of their columns, so `spiral.scan(files)` reads all of them.
 *
 * A row's key is the path of its file (`file`, below {@link root}) and its number in there (`row`, from 0). These two
 * columns are given where they are named, `files.select('file', 'row', 'text')`, unless the files have columns so named:
 * `files.key('row')` is the key's column all the same.
 */
export class FileTable extends Expr {
  /** Names which files they are and what was in them. */
  readonly id: string;
  /** The URI of the folder that all of them are in. */
  readonly root: string;
  readonly format: FileFormat;
  /** Their paths below the root, in order. */
  readonly files: readonly string[];
  /** The columns that all of them have. */
  readonly schema: Schema;
  readonly keySchema: Schema = fileKeySchema;
  /** Rows of all of them. */
  readonly rows: number;

  /** Made by `Spiral.files`. */
  constructor({ set, schema, files }: OpenFiles) {
    const id = fileSetId(set);
    super({ kind: 'table', table: id });
    this.id = id;
    this.root = set.root;
    this.format = set.format;
    this.files = set.files.map(({ path }) => path);
    this.schema = schema;
    this.rows = files.reduce((sum, { rowStarts }) => sum + rowStarts.at(-1)!, 0);
  }

  /** A column, by its dotted path. */
  col(path: string): Expr {
    return this.getitem(path);
  }

  /** A column of the rows' key, also where the files have a column of that name. @throws SpiralError `invalid_argument`. */
  key(name: 'file' | 'row'): Expr {
    return new Expr({ kind: 'field', of: this.node, name: keyFieldName(oneOf('key', name, ['file', 'row'])) });
  }

  override toString(): string {
    return `files(${this.root})`;
  }
}
