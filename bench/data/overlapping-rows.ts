import type { DataSet } from './data-set.js';
import { warehouse } from './data-set.js';
import { numbersFrom } from './numbers.js';
import { wideBatches, wideRowCount } from './wide-rows.js';

/** As many writes, each of a share of the keys that is drawn at random: all their ranges of keys overlap. */
const writes = 4;

/** The wide rows, written in four turns. */
export const overlappingRows: DataSet = {
  name: 'overlapping',
  make: async (scale) => {
    await using spiral = warehouse('overlapping');
    const table = await (await spiral.createProject('bench')).createTable('overlapping', {
      keySchema: { id: 'int64' },
    });
    const next = numbersFrom(2);
    const ids: bigint[][] = Array.from({ length: writes }, () => []);
    for (let id = 0; id < scale.rows(wideRowCount); id++) ids[next() % writes]!.push(BigInt(id));
    for (const own of ids) await table.write(wideBatches(own.length, (row) => own[row]!));
  },
};
