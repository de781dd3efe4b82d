import type { RecordBatch } from 'apache-arrow';
import { payloadOf } from './story.js';

/** The rows of a batch; a step or note that is null is 0. */
export interface CheckedRows {
  readonly writer: Int32Array;
  readonly slot: Int32Array;
  readonly step: Int32Array;
  readonly note: Int32Array;
  /** Rows whose text is not that of their key and step. */
  readonly wrong: string[];
}

/** Takes a batch apart and looks at each text. Runs where the loader has it run: in map workers, the feeder or here. */
export function checkedRows(batch: RecordBatch): CheckedRows {
  const numbers = (name: string): Int32Array => {
    const column = batch.getChild(name);
    return Int32Array.from({ length: batch.numRows }, (_, row) => Number(column?.get(row) ?? 0));
  };
  const [writer, slot, step, note] = [numbers('writer'), numbers('slot'), numbers('step'), numbers('note')];
  const payload = batch.getChild('payload');
  const wrong: string[] = [];
  for (let row = 0; row < batch.numRows; row++) {
    const expected = step[row] === 0 ? null : payloadOf(writer[row]!, slot[row]!, step[row]!);
    const found: unknown = payload?.get(row) ?? null;
    if (found === expected) continue;
    wrong.push(`row ${writer[row]}/${slot[row]} of step ${step[row]} holds ${String(found)}`);
  }
  return { writer, slot, step, note, wrong };
}
