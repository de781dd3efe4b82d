import type { Tensor } from '@tensorflow/tfjs';
import type { TensorMaker, Tf } from './tf.js';

/** A tensor that is not handed out yet, as backends and kernels know it. */
type TensorInfo = Parameters<ReturnType<Tf['engine']>['makeTensorFromTensorInfo']>[0];

/** What the WebAssembly backend gives kernels to make their outputs with. */
interface WasmBackend {
  makeOutput(shape: number[], dtype: 'float32'): TensorInfo;
  typedArrayFromHeap(info: TensorInfo): Float32Array;
  disposeData(dataId: object): boolean;
}

type Engine = ReturnType<Tf['engine']>;

/** Where the float32 values of one tensor are written. */
export interface FloatMemory {
  /** Memory for so many values, not cleared; to be asked for once. */
  take(length: number): Float32Array;
  /** The tensor of `values`, which may be any. */
  tensor(values: Float32Array, shape: number[]): Tensor;
  /** No tensor is made of what was taken. */
  drop(): void;
}

/**
 * Memory for one tensor. The WebAssembly backend copies what it is given into memory of its own, so there values are
 * written where it would copy them to: as kernels do with their outputs.
 */
export function floatMemory(tf: TensorMaker): FloatMemory {
  const engine = tf.getBackend?.() === 'wasm' ? tf.engine?.() : undefined;
  const backend = engine?.backend as unknown as Partial<WasmBackend> | undefined;
  if (engine === undefined || !writesInPlace(backend)) return new PlainMemory(tf);
  return new BackendMemory(tf, engine, backend);
}

function writesInPlace(backend: Partial<WasmBackend> | undefined): backend is WasmBackend {
  return [backend?.makeOutput, backend?.typedArrayFromHeap, backend?.disposeData].every(
    (method) => typeof method === 'function',
  );
}

/** An array for each tensor: other backends go on reading it. */
class PlainMemory implements FloatMemory {
  readonly #tf: TensorMaker;

  constructor(tf: TensorMaker) {
    this.#tf = tf;
  }

  take(length: number): Float32Array {
    return new Float32Array(length);
  }

  tensor(values: Float32Array, shape: number[]): Tensor {
    return this.#tf.tensor(values, shape, 'float32');
  }

  drop(): void {}
}

/** The backend's own memory. Whatever is allocated there may move it, so views of it live as long as one tensor's making. */
class BackendMemory extends PlainMemory {
  readonly #engine: Engine;
  readonly #backend: WasmBackend;
  #taken: { readonly info: TensorInfo; readonly values: Float32Array } | undefined;

  constructor(tf: TensorMaker, engine: Engine, backend: WasmBackend) {
    super(tf);
    [this.#engine, this.#backend] = [engine, backend];
  }

  override take(length: number): Float32Array {
    const info = this.#backend.makeOutput([length], 'float32');
    const values = this.#backend.typedArrayFromHeap(info);
    this.#taken = { info, values };
    return values;
  }

  override tensor(values: Float32Array, shape: number[]): Tensor {
    const taken = this.#taken;
    if (taken?.values !== values) return super.tensor(values, shape);
    this.#taken = undefined;
    const { dataId } = taken.info;
    return this.#engine.makeTensorFromTensorInfo({ dataId, shape, dtype: 'float32' }, this.#engine.backend);
  }

  override drop(): void {
    if (this.#taken !== undefined) this.#backend.disposeData(this.#taken.info.dataId);
    this.#taken = undefined;
  }
}
