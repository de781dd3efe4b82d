import type { MessagePort } from 'node:worker_threads';
import type { WireError } from '../core/error-wire.js';

/** What a worker is told first. */
export interface LaneStart {
  /** Tasks come by it, some in one message, and a {@link TaskReply} to each goes back, in lists. */
  readonly port: MessagePort;
  /** Shared: the worker counts the tasks that it begins. */
  readonly begun: Int32Array;
  /** Bytes of its isolate above which it begins no further task. */
  readonly bytesMax: number;
}

/** What a worker answers: what came of the task, and the bytes that its isolate holds, heap and buffers, after it. */
export type TaskReply<R> = { readonly bytes: number } & ({ readonly result: R } | { readonly error: WireError });
