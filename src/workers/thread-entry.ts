import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SpiralError } from '../core/errors.js';

/**
 * The path of a thread's file: `file`, as in `loader/map-worker.js`, of this package once built. Node runs no TypeScript
 * in threads, so from sources it is the built one too.
 *
 * @throws SpiralError `internal` where it has not been built.
 */
export function threadEntry(file: string): string {
  const beside = fileURLToPath(new URL(`../${file}`, import.meta.url));
  if (existsSync(beside)) return beside;
  const built = fileURLToPath(new URL(`../../dist/${file}`, import.meta.url));
  if (existsSync(built)) return built;
  throw new SpiralError(
    'internal',
    `Expected the file of a thread at ${beside}, found none. From sources, run \`npm run build\` first.`,
    { details: { file: beside } },
  );
}
