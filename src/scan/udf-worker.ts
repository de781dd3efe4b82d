import { parseType } from '../arrow/words.js';
import { markHosted } from '../workers/hosted-thread.js';
import { serveTasks } from '../workers/serve-tasks.js';
import { callUdf } from './udf.js';
import { packColumns, unpackColumns } from './udf-columns.js';
import type { UdfColumns, UdfTask } from './udf-protocol.js';

/** A udf worker's thread: calls the functions that it is told, with the columns that it is sent. */
markHosted();
/** Never aborts: this thread is ended instead. */
const { signal } = new AbortController();

serveTasks<UdfTask, UdfColumns>(({ node, args }) => [
  async () => {
    const { rows } = args.columns;
    const type = parseType(String(node.options?.['returns']));
    const effect = { kind: 'effect', node, type, args: [] } as const;
    const result = packColumns([await callUdf(effect, unpackColumns(args), rows, signal)], rows);
    return { result, transfer: [result.columns.buffer] };
  },
]);
