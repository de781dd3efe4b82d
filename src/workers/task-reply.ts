import type { WireError } from '../core/error-wire.js';

/** What a worker answers: what came of the task, and the bytes that its isolate holds, heap and buffers, after it. */
export type TaskReply<R> = { readonly bytes: number } & ({ readonly result: R } | { readonly error: WireError });
