/** What is used of `@duckdb/node-api`. */
export interface DuckDb {
  readonly DuckDBInstance: {
    create(path: string): Promise<{
      connect(): Promise<{
        run(sql: string): Promise<unknown>;
        stream(sql: string): Promise<DuckResult>;
        closeSync(): void;
      }>;
    }>;
  };
}

/** A result that comes chunk by chunk. */
export interface DuckResult {
  fetchChunk(): Promise<{ rowCount: number; columnCount: number; getColumnVector(column: number): unknown } | null>;
}

/** The rows of `result`, each column taken as the vector that the client has for it; no value becomes a JavaScript one. */
export async function drained(result: DuckResult): Promise<number> {
  let rows = 0;
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return rows;
    for (let column = 0; column < chunk.columnCount; column++) chunk.getColumnVector(column);
    rows += chunk.rowCount;
  }
}
