import type { Data, DataType } from 'apache-arrow';
import fc from 'fast-check';
import { buildColumn } from '../../src/arrow/build.js';
import { arbType, arbValues } from './arbitrary.js';

/** Several columns of one type, some of them slices of longer ones. */
export function arbColumns({ most }: { most: number }): fc.Arbitrary<{ type: DataType; columns: Data[] }> {
  return arbType(2).chain((type) =>
    fc.array(fc.tuple(arbValues(type, 20), fc.nat(), fc.nat()), { minLength: 1, maxLength: most }).map((drawn) => ({
      type,
      columns: drawn.map(([values, skip, drop]) => {
        const whole = buildColumn('c', type, values, values.length, 'the test');
        const from = skip % (values.length + 1);
        return skip % 3 === 0 ? whole : whole.slice(from, drop % (values.length - from + 1));
      }),
    })),
  );
}
