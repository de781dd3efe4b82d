/** What else an error of a library may keep: none of it holds what was sent, signed or answered. */
const kept = ['code', 'status', 'statusCode', '$metadata'] as const;
/** Causes followed: what lies deeper is left out. */
const causesMax = 8;

/**
 * A copy of `error`, and of what caused it, with its name, message, stack and codes alone. The libraries of object stores
 * hang requests and answers on their errors: headers with tokens, signed addresses, and what was signed.
 */
export function bareError(error: Error, depth = 0): Error {
  const { cause } = error;
  const copied = cause instanceof Error && depth < causesMax ? { cause: bareError(cause, depth + 1) } : {};
  const bare = new Error(error.message, copied);
  const own = { name: error.name, stack: error.stack };
  for (const [key, value] of Object.entries(own)) {
    Object.defineProperty(bare, key, { value, enumerable: false, configurable: true, writable: true });
  }
  for (const key of kept)
    if (key in error) Object.assign(bare, { [key]: (error as { [Key in typeof key]?: unknown })[key] });
  return bare;
}
