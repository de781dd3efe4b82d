/** Rows gathered before they become a batch. */
const rowsMax = 8192;
/** Rough bytes gathered, so that wide rows do not pile up. */
const bytesMax = 4 * 1024 * 1024;

/**
 * Gathers rows that come one by one, those with the same columns together: what a row leaves out it then leaves alone,
 * whatever its neighbours have.
 */
export class RowCollector {
  readonly #byColumns = new Map<string, object[]>();
  #rows = 0;
  #bytes = 0;

  /** Takes `row`; true once there is enough for a batch. */
  add(row: Readonly<Record<string, unknown>>): boolean {
    const columns = JSON.stringify(Object.keys(row).filter((name) => row[name] !== undefined));
    const rows = this.#byColumns.get(columns);
    if (rows === undefined) this.#byColumns.set(columns, [row]);
    else rows.push(row);
    this.#rows++;
    this.#bytes += roughBytes(row);
    return this.#rows >= rowsMax || this.#bytes >= bytesMax;
  }

  /** What was gathered, an array for each set of columns; the collector is then empty. */
  take(): object[][] {
    const taken = [...this.#byColumns.values()];
    this.#byColumns.clear();
    this.#rows = 0;
    this.#bytes = 0;
    return taken;
  }
}

/** Bytes that a value holds, roughly. */
function roughBytes(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength;
  if (Array.isArray(value)) {
    const [first] = value;
    return typeof first === 'number' ? 8 * value.length : value.reduce<number>((sum, one) => sum + roughBytes(one), 8);
  }
  let sum = 8;
  for (const inner of Object.values(value)) sum += roughBytes(inner);
  return sum;
}
