import { dirname, sep } from 'node:path';
import { importPeer, resolvePeer } from '../../core/peer.js';
import { loadTf, type Tf, tfInUse } from './tf.js';

/** A TensorFlow.js with its backend set. */
export interface PickedBackend {
  readonly tf: Tf;
  /** `tensorflow` is tfjs-node's native library; `wasm` trains dense nets only (no convolutions); `cpu` takes all, slowly. */
  readonly name: 'tensorflow' | 'wasm' | 'cpu';
}

/** What is asked of `@tensorflow/tfjs-backend-wasm`. */
interface WasmPackage {
  setWasmPaths(folder: string): void;
  setThreadsCount(count: number): void;
}

const wasmPackage = '@tensorflow/tfjs-backend-wasm';

/**
 * Sets the fastest backend that is installed: `@tensorflow/tfjs-node`, else `@tensorflow/tfjs-backend-wasm` (one thread:
 * the same sums in the same order on every run), else plain JavaScript.
 *
 * @param tf Where left out, {@link loadTf} finds it.
 * @throws SpiralError `missing_peer` where no TensorFlow.js is installed; `invalid_argument` for a `tf` that is none.
 */
export async function pickBackend(tf?: Tf): Promise<PickedBackend> {
  const chosen = tf === undefined ? await loadTf() : tfInUse(tf);
  if (chosen.findBackendFactory('tensorflow') !== null && (await chosen.setBackend('tensorflow'))) {
    return { tf: chosen, name: 'tensorflow' };
  }
  const place = resolvePeer(wasmPackage);
  if (place !== undefined) {
    const wasm = await importPeer<WasmPackage>(wasmPackage);
    // A backend that has begun already refuses to be set up.
    if (chosen.engine().registry['wasm'] === undefined) {
      wasm.setWasmPaths(dirname(place) + sep);
      wasm.setThreadsCount(1);
    }
    if (await withoutListeners(() => chosen.setBackend('wasm'))) return { tf: chosen, name: 'wasm' };
  }
  await chosen.setBackend('cpu');
  return { tf: chosen, name: 'cpu' };
}

const failures = ['uncaughtException', 'unhandledRejection'] as const;

/**
 * Takes off the process listeners that `work` puts on. The WebAssembly module's would make any error of the program end
 * in a page of its own minified source and exit code 7.
 */
async function withoutListeners<T>(work: () => Promise<T>): Promise<T> {
  const process: NodeJS.EventEmitter = globalThis.process;
  const before = failures.map((event) => process.listeners(event));
  const result = await work();
  for (const [at, event] of failures.entries()) {
    const added = process.listeners(event).filter((listener) => !before[at]!.includes(listener));
    for (const listener of added) process.removeListener(event, listener as () => void);
  }
  return result;
}
