/** Shared by every copy of this package in a thread: the module of a transform may load another copy than its host. */
const mark = Symbol.for('spiral-loader.hosted-thread');

/** Marks this thread as one that this package started, where users' modules are loaded. */
export function markHosted(): void {
  Object.defineProperty(globalThis, mark, { value: true });
}

/** Whether this package started this thread: a training script that is loaded in it by mistake must not train again. */
export function isHosted(): boolean {
  return mark in globalThis;
}
