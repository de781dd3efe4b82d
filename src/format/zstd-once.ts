/** A build of the Zstandard library, of whichever version. */
interface ZstdLibrary {
  init(): Promise<void>;
}

/** Where `init` keeps that it was called: found by every copy of this module that a process has loaded. */
const readied = Symbol.for('spiral-loader.zstd');

/**
 * Initializes `library`, once: a second time would give it another memory while its functions keep the first, and whatever is
 * read or written then is damaged.
 */
export function readyZstd({ init }: ZstdLibrary): Promise<void> {
  const known = init as typeof init & { [readied]?: Promise<void> };
  known[readied] ??= init();
  return known[readied];
}
