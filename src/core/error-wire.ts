import type { ErrorCode } from './codes.js';
import { type ErrorDetails, SpiralError } from './errors.js';

/** An error as it crosses between threads, where a clone would lose its class, code and details. */
export interface WireError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: ErrorCode | undefined;
  readonly details: ErrorDetails | undefined;
  /** What else an error that is none of ours says of itself, such as the system's `code` and `syscall`. */
  readonly own: Readonly<Record<string, unknown>> | undefined;
  readonly cause: WireError | undefined;
}

/** Causes followed on the way: an error that causes itself must not hang the wire. */
const causesMax = 8;

/** `error` for the wire. Details that cannot be cloned go as text. */
export function toWire(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) {
    return {
      name: 'Error',
      message: String(error),
      stack: undefined,
      code: undefined,
      details: undefined,
      own: undefined,
      cause: undefined,
    };
  }
  const spiral = error instanceof SpiralError ? error : undefined;
  return {
    name: error.name,
    message: error.message,
    stack: error.stack,
    code: spiral?.code,
    details: spiral === undefined ? undefined : cloneable(spiral.details),
    own: spiral === undefined ? ownProperties(error) : undefined,
    cause: error.cause === undefined || depth >= causesMax ? undefined : toWire(error.cause, depth + 1),
  };
}

/** The error that `wire` was made of; its stack is the one it had where it was thrown. */
export function fromWire(wire: WireError): Error {
  const cause = wire.cause === undefined ? undefined : fromWire(wire.cause);
  const options = cause === undefined ? {} : { cause };
  const error =
    wire.code === undefined
      ? Object.assign(new Error(wire.message, options), { ...wire.own, name: wire.name })
      : new SpiralError(wire.code, wire.message, { ...options, details: wire.details ?? {} });
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}

/** The own properties of `error` that can be cloned. */
function ownProperties(error: Error): Record<string, unknown> {
  const own: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(error)) {
    try {
      if (!(name in base)) own[name] = structuredClone(value);
    } catch {
      // A function or the like means nothing in another thread.
    }
  }
  return own;
}

/** What every error has, and is carried by itself. */
const base = { name: '', message: '', stack: '', cause: undefined };

function cloneable(details: ErrorDetails): ErrorDetails {
  try {
    return structuredClone(details);
  } catch {
    return { text: String(JSON.stringify(details, (_, value) => (typeof value === 'bigint' ? `${value}n` : value))) };
  }
}
