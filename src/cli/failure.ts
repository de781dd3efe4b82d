import { isSpiralError, SpiralError } from '../core/errors.js';

/** Exit codes. */
export const done = 0;
export const failed = 1;
export const misused = 2;
export const interrupted = 130;
export const terminated = 143;

/** Codes that say that the command line, or a setting, was not understood. */
const usageCodes = ['invalid_argument', 'invalid_size', 'invalid_identifier', 'invalid_expression', 'invalid_config'];

/** The error of a command line that the parser lets pass. */
export function misuse(message: string, details: Readonly<Record<string, unknown>> = {}): SpiralError {
  return new SpiralError('invalid_argument', message, { details });
}

/** The exit code that `error` is. */
export function exitCodeOf(error: unknown): number {
  if (isSpiralError(error, 'cancelled')) return interrupted;
  return isSpiralError(error, ...usageCodes) ? misused : failed;
}

/** `error` in words: for people, or as a line of JSON; the stack where `debug` asks for it. */
export function failureText(error: unknown, settings: { readonly json: boolean; readonly debug: boolean }): string {
  const known = isSpiralError(error) ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const code = known?.code ?? 'internal';
  const stack = settings.debug ? stackOf(error) : undefined;
  if (settings.json) {
    const { kind = 'internal', details = {} } = known ?? {};
    return `${JSON.stringify({ error: { code, kind, message, details, ...(stack && { stack }) } }, jsonValue)}\n`;
  }
  const lines = [`error[${code}]: ${message}`, ...pointer(known?.details), ...(stack === undefined ? [] : [stack])];
  return `${lines.join('\n')}\n`;
}

/** The text in which something is wrong, with a mark below the place. */
function pointer(details: Readonly<Record<string, unknown>> | undefined): string[] {
  const { text, column } = details ?? {};
  if (typeof text !== 'string' || typeof column !== 'number' || /[\r\n]/.test(text) || column > 200) return [];
  return [`  ${text}`, `  ${' '.repeat([...text.slice(0, column - 1)].length)}^`];
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}

/** What JSON does not have. */
function jsonValue(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Uint8Array ? `${value.byteLength} bytes` : value;
}
