import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/**
 * Run by Vitest before all tests: makes JavaScript of the modules in `transforms/`, once. A thread that loads TypeScript brings
 * a compiler along, which takes it longer than the whole test.
 */
export default async function buildTransforms(): Promise<() => Promise<void>> {
  const outdir = await mkdtemp(join(tmpdir(), 'spiral-transforms-'));
  const entryPoints = [fileURLToPath(new URL('./transforms/*.ts', import.meta.url))];
  await build({ entryPoints, outdir, format: 'esm', platform: 'node', target: 'node20' });
  await writeFile(join(outdir, 'package.json'), '{"type":"module"}');
  process.env['SPIRAL_TEST_TRANSFORMS'] = outdir;
  return () => rm(outdir, { recursive: true });
}

/** The module `transforms/<name>.ts` as JavaScript. */
export function builtTransforms(name: string): URL {
  const folder = process.env['SPIRAL_TEST_TRANSFORMS'];
  if (folder === undefined) throw new Error('Expected Vitest to have built the transforms before its tests.');
  return pathToFileURL(join(folder, `${name}.js`));
}
