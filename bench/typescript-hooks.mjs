/**
 * Lets Node load the TypeScript of this folder, file by file, and leaves what is built as it is. tsx would keep a source map
 * of every module, of the package's too: twice the heap, which V8 marks after some 30 MB of buffers each time.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';

const repository = new URL('../package.json', import.meta.url).href;

export async function resolve(specifier, context, next) {
  // This folder is a package of its own, for which the one around it is none that is installed.
  if (/^spiral-loader(\/|$)/.test(specifier)) return await next(specifier, { ...context, parentURL: repository });
  const isOwn = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
  return await next(isOwn ? specifier.replace(/\.js$/, '.ts') : specifier, context);
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return await next(url, context);
  const { code } = await transform(await readFile(fileURLToPath(url), 'utf8'), { loader: 'ts', target: 'node20' });
  return { format: 'module', shortCircuit: true, source: code };
}
