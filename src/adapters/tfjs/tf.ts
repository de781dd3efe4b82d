import { createRequire } from 'node:module';
import type * as tfjs from '@tensorflow/tfjs';
import { SpiralError, shown } from '../../core/errors.js';
import { importPeer, isNotFound, resolvePeer } from '../../core/peer.js';

/** The TensorFlow.js namespace: `import * as tf from '@tensorflow/tfjs'`, or the one of `@tensorflow/tfjs-node`. */
export type Tf = typeof tfjs;

/** The part of {@link Tf} that making tensors needs; `@tensorflow/tfjs-core` has it too. */
export type TensorMaker = Pick<Tf, 'tensor'> & Partial<Pick<Tf, 'getBackend' | 'engine'>>;

/** In the order of preference: native, whole, core alone (which has tensors, but no layers). */
const packages = ['@tensorflow/tfjs-node', '@tensorflow/tfjs', '@tensorflow/tfjs-core'] as const;

let loaded: Tf | undefined;
/** What was given last and can make tensors: it is given with every batch. */
let checked: TensorMaker | undefined;

/**
 * Finds TensorFlow.js and keeps it for {@link toTensors} and the others: the one this process has imported already, else
 * the first that is installed of `@tensorflow/tfjs-node`, `@tensorflow/tfjs` and `@tensorflow/tfjs-core`, as seen from
 * the working folder and then from this package. Pass `tf` in the options where a program has several.
 *
 * With `@tensorflow/tfjs-core` alone the layers part of {@link Tf} is absent.
 *
 * @throws SpiralError `missing_peer` where none can be loaded.
 */
export async function loadTf(): Promise<Tf> {
  loaded ??= inProcess();
  if (loaded !== undefined) return loaded;
  let cause: unknown;
  for (const name of packages) {
    try {
      loaded = await importPeer<Tf>(name);
      return loaded;
    } catch (error) {
      // tfjs-node may be installed without its native library: the next one still trains.
      cause ??= isNotFound(error) ? undefined : error;
    }
  }
  throw new SpiralError(
    'missing_peer',
    'Expected TensorFlow.js to be installed, found none that loads. Run `npm install @tensorflow/tfjs` (any machine) ' +
      'or `npm install @tensorflow/tfjs-node` (native).',
    { details: { packages }, cause },
  );
}

/**
 * `given`, else the TensorFlow.js that {@link loadTf} found or that this process has imported.
 *
 * @throws SpiralError `missing_peer` where there is none yet; `invalid_argument` where `given` is none.
 */
export function tfInUse(given?: Tf): Tf;
export function tfInUse(given?: TensorMaker): TensorMaker;
export function tfInUse(given?: TensorMaker): TensorMaker {
  if (given !== undefined) return checkedTf(given);
  loaded ??= inProcess();
  if (loaded !== undefined) return loaded;
  throw new SpiralError(
    'missing_peer',
    'TensorFlow.js is not loaded yet. Pass it as the option `tf`, or call `await loadTf()` once before; ' +
      'it is installed by `npm install @tensorflow/tfjs`.',
    { details: { packages } },
  );
}

function checkedTf(given: TensorMaker): TensorMaker {
  if (given === checked) return given;
  if (typeof given?.tensor !== 'function') {
    const forgotten = given instanceof Promise ? ' Await `loadTf()` before.' : '';
    throw new SpiralError(
      'invalid_argument',
      `Expected \`tf\` to be a TensorFlow.js namespace, as \`import * as tf\` has it, got ${shown(given)}.${forgotten}`,
      { details: { found: given } },
    );
  }
  checked = given;
  return given;
}

/** All builds that Node.js takes are CommonJS, so an import leaves its trace in the one module cache. */
function inProcess(): Tf | undefined {
  const cache = createRequire(import.meta.url).cache;
  for (const name of packages) {
    const place = resolvePeer(name);
    const found = place === undefined ? undefined : cache[place];
    if (found?.loaded) return found.exports as Tf;
  }
  return undefined;
}
