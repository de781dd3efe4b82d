import { createHash } from 'node:crypto';
import { typeWords } from '../arrow/words.js';
import { effectsOf } from '../expr/bound.js';
import type { ColumnChoice } from './column-choice.js';
import type { Part } from './part.js';
import type { ScanPlan } from './plan.js';

/** Whether the parts of a scan can be named: what code and fetches leave of rows may change, and no log tells of it. */
export function isNameable({ tables, where }: Pick<ScanPlan, 'tables' | 'where'>): boolean {
  return tables.length === 1 && (where === undefined || effectsOf(where).length === 0);
}

/** A name for each of `parts`, of one table: its fragments, as they lie on one another, and the columns that the filter reads. */
export function partNames({ columns }: ColumnChoice, parts: readonly Part[]): string[] {
  const read = JSON.stringify(columns.map(({ id, path, type }) => [id, path, typeWords(type)]));
  return parts.map((part) => {
    const sets = 'index' in part ? part.run.sets : [part.set];
    const orders = sets.flatMap(({ layers }) => layers.map(({ order }) => order)).sort((a, b) => a - b);
    const ages = new Map(orders.map((order, age) => [order, age]));
    const fragments = sets.map(({ layers }) =>
      layers.map(({ fragment, order }) => [fragment.commit, fragment.ordinal, ages.get(order)]),
    );
    return createHash('sha256').update(read).update(JSON.stringify(fragments)).digest('hex').slice(0, 32);
  });
}
