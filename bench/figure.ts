/** What a benchmark is to reach. */
export type Figure = RatioFigure | HeldFigure | ValueFigure;

/** The rate of side `of` is at least `atLeast` times that of `against`, or of the best peer that ran. */
export interface RatioFigure {
  readonly kind: 'ratio';
  readonly of: string;
  readonly against: string | 'best peer';
  readonly atLeast: number;
}

/** Side `of` holds at most `atMost` times the bytes of `rows` rows. */
export interface HeldFigure {
  readonly kind: 'held';
  readonly of: string;
  readonly rows: number;
  readonly atMost: number;
}

/** What side `of` measured as `value` is at most `atMost`, or that many times what `against` measured. */
export interface ValueFigure {
  readonly kind: 'value';
  readonly of: string;
  readonly value: string;
  readonly atMost: number;
  readonly against?: string;
}

/** What a side came to, as far as figures look at it. */
export interface Measured {
  readonly name: string;
  readonly peer: boolean;
  readonly rowsPerSecond: number | null;
  readonly bytesPerRow: number | null;
  readonly heldBytes: number | null;
  /** What its passes measured besides. */
  readonly values?: Readonly<Record<string, number>>;
}

/** A figure and what was found; `found` is null where a side did not run, which reaches nothing. */
export interface Verdict {
  readonly text: string;
  readonly found: number | null;
  readonly reached: boolean;
}

/** Holds `figure` against `sides`. */
export function judged(figure: Figure, sides: readonly Measured[]): Verdict {
  if (figure.kind === 'ratio') return judgedRatio(figure, sides);
  return figure.kind === 'held' ? judgedHeld(figure, sides) : judgedValue(figure, sides);
}

function judgedRatio({ of, against, atLeast }: RatioFigure, sides: readonly Measured[]): Verdict {
  const own = sideNamed(of, sides).rowsPerSecond;
  const other = against === 'best peer' ? bestPeer(sides) : sideNamed(against, sides);
  const name = other === undefined || other.name === against ? against : `${against} (${other.name})`;
  const found = own === null || other === undefined || other.rowsPerSecond === null ? null : own / other.rowsPerSecond;
  return { text: `${of} ≥ ${atLeast} × ${name}`, found, reached: found !== null && found >= atLeast };
}

function judgedHeld({ of, rows, atMost }: HeldFigure, sides: readonly Measured[]): Verdict {
  const { heldBytes, bytesPerRow } = sideNamed(of, sides);
  const found = heldBytes === null || bytesPerRow === null ? null : heldBytes / (rows * bytesPerRow);
  const text = `${of} holds ≤ ${atMost} × ${rows.toLocaleString('en')} rows`;
  return { text, found, reached: found !== null && found <= atMost };
}

function judgedValue({ of, value, atMost, against }: ValueFigure, sides: readonly Measured[]): Verdict {
  const own = sideNamed(of, sides).values?.[value];
  const other = against === undefined ? 1 : sideNamed(against, sides).values?.[value];
  const found = own === undefined || other === undefined ? null : own / other;
  const text = `${of}: ${value} ≤ ${atMost}${against === undefined ? '' : ` × ${against}`}`;
  return { text, found, reached: found !== null && found <= atMost };
}

function sideNamed(name: string, sides: readonly Measured[]): Measured {
  const side = sides.find((one) => one.name === name);
  if (side === undefined) throw new Error(`Expected a side named '${name}', found ${sides.map((one) => one.name)}.`);
  return side;
}

function bestPeer(sides: readonly Measured[]): Measured | undefined {
  return sides
    .filter((side) => side.peer && side.rowsPerSecond !== null)
    .sort((a, b) => b.rowsPerSecond! - a.rowsPerSecond!)[0];
}
