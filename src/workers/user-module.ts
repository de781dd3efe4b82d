import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { listed, nearest } from '../core/check.js';
import { SpiralError, shown } from '../core/errors.js';
import { isHosted } from './hosted-thread.js';

/**
 * A module of the user's, loaded in this thread. For TypeScript threads of this package use the `tsx` that is installed
 * beside the module, and else what Node can: it strips types from version 22.18 on, but takes no `./other.js` for
 * `./other.ts`, and no enums.
 *
 * @throws SpiralError `invalid_transform` where it is not there or does not load; `cause` is why.
 */
export async function loadModule(url: string): Promise<UserModule> {
  return new UserModule(url, await imported(url));
}

/** What a module exports. */
export class UserModule {
  readonly #url: string;
  readonly #exports: Readonly<Record<string, unknown>>;

  constructor(url: string, exports: Readonly<Record<string, unknown>>) {
    this.#url = url;
    this.#exports = exports;
  }

  /** @throws SpiralError `invalid_transform` where `name` is no function, naming the exports near to it. */
  callable(name: string): (...args: never[]) => unknown {
    const found = this.#exports[name];
    if (typeof found === 'function') return found as (...args: never[]) => unknown;
    const names = Object.keys(this.#exports);
    const near = nearest(name, names);
    const detail = { details: { module: this.#url, export: name, exports: names, near } };
    if (found !== undefined) {
      const text = `Expected the export '${name}' of ${this.#url} to be a function, got ${shown(found)}.`;
      throw new SpiralError('invalid_transform', text, detail);
    }
    const hint =
      near.length > 0 ? ` Did you mean ${listed(near)}?` : ` It exports ${listed(names, 'and') || 'nothing'}.`;
    throw new SpiralError('invalid_transform', `${this.#url} has no export '${name}'.${hint}`, detail);
  }
}

async function imported(url: string): Promise<Record<string, unknown>> {
  // Node remembers a failed import, so a thread of ours learns TypeScript before it tries.
  if (isTypeScript(url) && isHosted()) await learnTypeScript(url);
  try {
    return (await import(url)) as Record<string, unknown>;
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ERR_UNKNOWN_FILE_EXTENSION' && isTypeScript(url)) {
      throw noTypeScript(url, 'Start the process with `node --import tsx`', cause);
    }
    return failed(url, cause);
  }
}

const isTypeScript = (url: string): boolean => /\.[cm]?ts$/.test(new URL(url).pathname);

/** Whether this Node strips types by itself. */
const runsTypeScript = (): boolean => Boolean((process.features as { typescript?: unknown }).typescript);

/** Lets this thread import TypeScript as tsx does, if it has to or can, as the module may do so later, too. */
async function learnTypeScript(url: string): Promise<void> {
  const require = createRequire(url);
  let api: string;
  try {
    const manifest = require('tsx/package.json') as { exports: Record<string, { import: { default: string } }> };
    api = join(dirname(require.resolve('tsx/package.json')), manifest.exports['./esm/api']!.import.default);
  } catch (cause) {
    if (runsTypeScript()) return;
    throw noTypeScript(url, 'Install tsx beside it (npm install --save-dev tsx)', cause);
  }
  const { register } = (await import(pathToFileURL(api).href)) as { register(): unknown };
  register();
}

function noTypeScript(url: string, remedy: string, cause: unknown): SpiralError {
  return new SpiralError(
    'invalid_transform',
    `Expected JavaScript, as this Node runs no TypeScript by itself, got ${url}. ${remedy}, or name the compiled file.`,
    { details: { module: url }, cause },
  );
}

function failed(url: string, cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause);
  const text = `The module ${url} cannot be loaded: ${why}`;
  const hint =
    'Node.js by itself finds no .ts by the name of its .js, and runs only what is left when types are erased: install tsx ' +
    'beside the module (npm install --save-dev tsx), or name the compiled file.';
  throw new SpiralError('invalid_transform', isBeyondNode(cause) ? `${text}. ${hint}` : text, {
    details: { module: url },
    cause,
  });
}

/** Whether it was Node's own TypeScript that did not suffice. */
function isBeyondNode(cause: unknown): boolean {
  const { code, url } = (cause ?? {}) as { readonly code?: unknown; readonly url?: unknown };
  if (code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX' || code === 'ERR_INVALID_TYPESCRIPT_SYNTAX') return true;
  if (code !== 'ERR_MODULE_NOT_FOUND' || typeof url !== 'string' || !/^file:.*js$/.test(url)) return false;
  return existsSync(fileURLToPath(url.replace(/js$/, 'ts')));
}
