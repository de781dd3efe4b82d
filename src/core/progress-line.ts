/** Milliseconds between two rewritings: five a second. */
const rewriteEveryMs = 200;
/** Back to the line's beginning, and the rest of it wiped. */
const rewrite = '\r\u001b[K';
const columnsOtherwise = 80;

/** Where the line is shown; `columns` is its width. */
export interface ProgressTerminal {
  readonly columns?: number;
  write(text: string): unknown;
}

/**
 * How far some work has got, in one line of a terminal: rows, rows a second, data wait where it is told and, where the rows
 * in all are known, the time left. It has no timer: it is rewritten as batches are taken, so a loop that stands still has a
 * line that does.
 */
export class ProgressLine {
  readonly #terminal: ProgressTerminal;
  readonly #delayMs: number;
  #label = '';
  #rowsWanted: number | null = null;
  #beginMs = 0;
  #rows = 0;
  #waitMs: number | undefined;
  #shownMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  /** Nothing is shown of what takes less than `delayMs`. Default 0. */
  constructor(terminal: ProgressTerminal, delayMs = 0) {
    this.#terminal = terminal;
    this.#delayMs = delayMs;
  }

  /** What `label` names begins, or goes on, with `rowsLeft` rows to come; null: not known. */
  begin(label: string, rowsLeft: number | null, nowMs: number): void {
    [this.#label, this.#rowsWanted, this.#beginMs, this.#rows, this.#waitMs] = [label, rowsLeft, nowMs, 0, undefined];
  }

  /** A batch of `rows` rows was taken, after a wait of `waitMs` where the wait is to be shown. */
  add(rows: number, waitMs: number | undefined, nowMs: number): void {
    this.#rows += rows;
    if (waitMs !== undefined) this.#waitMs = (this.#waitMs ?? 0) + waitMs;
    const due = nowMs - this.#shownMs >= rewriteEveryMs && nowMs - this.#beginMs >= this.#delayMs;
    if (due) this.#show(nowMs);
  }

  /** Leaves the line with its last figures and goes to the next. Without a line since the last call it does nothing. */
  end(nowMs: number): void {
    if (!this.#shown) return;
    this.#show(nowMs);
    this.#terminal.write('\n');
    this.#shown = false;
    this.#shownMs = Number.NEGATIVE_INFINITY;
  }

  #show(nowMs: number): void {
    const elapsedMs = nowMs - this.#beginMs;
    const rowsPerMs = elapsedMs > 0 ? this.#rows / elapsedMs : 0;
    const wanted = this.#rowsWanted === null ? '' : ` of ${counted(this.#rowsWanted)}`;
    const parts = [this.#label, `${counted(this.#rows)}${wanted} rows`];
    if (rowsPerMs > 0) {
      parts.push(`${counted(rowsPerMs * 1000)} rows/s`);
      if (this.#waitMs !== undefined) {
        const share = Math.min(1, this.#waitMs / elapsedMs);
        parts.push(`data wait ${(share * 100).toFixed(1)} %`);
      }
      const left = this.#rowsWanted === null ? 0 : this.#rowsWanted - this.#rows;
      if (left > 0) parts.push(`ETA ${duration(left / rowsPerMs)}`);
    }
    // A line that wraps could not be rewritten.
    const text = parts.join(' · ').slice(0, (this.#terminal.columns || columnsOtherwise) - 1);
    this.#terminal.write(`${rewrite}${text}`);
    this.#shown = true;
    this.#shownMs = nowMs;
  }
}

function counted(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const clock = [minutes, seconds % 60].map((part) => String(part).padStart(2, '0')).join(':');
  return hours > 0 ? `${hours}:${clock}` : clock;
}
