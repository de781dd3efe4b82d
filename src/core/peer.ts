import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** Imports an optional package, from the working folder if it is there, else from this package's own place. */
export async function importPeer<T>(name: string): Promise<T> {
  const place = resolvePeer(name);
  const found = (await import(place === undefined ? name : pathToFileURL(place).href)) as T & { default?: T };
  return found.default ?? found;
}

/** The file that `name` loads, or `undefined` where it is not installed. */
export function resolvePeer(name: string): string | undefined {
  for (const require of [fromProject(), createRequire(import.meta.url)]) {
    try {
      return require.resolve(name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
  return undefined;
}

/** Whether `error` says that a module is not there. */
export function isNotFound(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND';
}

function fromProject(): NodeJS.Require {
  return createRequire(join(process.cwd(), 'package.json'));
}
