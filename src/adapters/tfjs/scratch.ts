import type { TensorMaker } from './tf.js';

/** Elements above which values get memory of their own: 16 MiB are a fair thing to keep for good. */
const elementsMax = 4 * 1024 * 1024;

let kept = new Float32Array(0);

/**
 * Where the float32 values of one tensor are written before `tf.tensor` takes them. A fresh array costs as much as
 * filling it, and the garbage that it becomes costs again, so where the backend copies values into memory of its own at
 * once, as WebAssembly's has to, the same memory serves every tensor.
 */
export function floatMemory(tf: TensorMaker): (length: number) => Float32Array {
  return tf.getBackend?.() === 'wasm' ? reused : (length) => new Float32Array(length);
}

function reused(length: number): Float32Array {
  if (length > elementsMax) return new Float32Array(length);
  if (length > kept.length) kept = new Float32Array(length);
  return kept.subarray(0, length);
}
