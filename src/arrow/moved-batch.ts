import type { Data, RecordBatch } from 'apache-arrow';
import { recordBatch } from './record-batch.js';

/**
 * `batch` with its columns over new ArrayBuffers, to which the memory of `buffers` was moved without a copy: those are detached,
 * and so is everything else that refers to them. Only for memory that is the caller's alone. Dictionaries stay where they
 * are, and with them a buffer that holds one.
 *
 * It is for what comes by promises: one that has outlived a young collection of V8 keeps what it resolved to until a whole
 * one, and bytes that are kept so bring whole ones about. What was moved dies with the last who refers to it.
 */
export function movedBatch(batch: RecordBatch, buffers: Iterable<ArrayBuffer>): RecordBatch {
  const movable = new Set<ArrayBufferLike>(buffers);
  if (movable.size > 0) for (const data of batch.data.children) leaveDictionaries(data, movable);
  if (movable.size === 0) return batch;
  const views = new Map<ArrayBufferView, ArrayBufferView>();
  const used = new Set<ArrayBuffer>();
  for (const data of batch.data.children) collect(data, movable, views, used);
  if (used.size === 0) return batch;
  const moved = structuredClone([...views.keys()], { transfer: [...used] });
  let at = 0;
  for (const view of views.keys()) views.set(view, moved[at++]!);
  const columns = batch.data.children.map((data) => over(data, views));
  return recordBatch(batch.schema, columns, batch.numRows);
}

function leaveDictionaries({ dictionary, children }: Data, movable: Set<ArrayBufferLike>): void {
  for (const data of dictionary?.data ?? []) leave(data, movable);
  for (const child of children) leaveDictionaries(child, movable);
}

function leave(data: Data, movable: Set<ArrayBufferLike>): void {
  for (const view of viewsOf(data)) movable.delete(view.buffer);
  for (const child of data.children) leave(child, movable);
  leaveDictionaries(data, movable);
}

function collect(
  data: Data,
  movable: ReadonlySet<ArrayBufferLike>,
  views: Map<ArrayBufferView, ArrayBufferView>,
  used: Set<ArrayBuffer>,
): void {
  for (const view of viewsOf(data)) {
    if (!movable.has(view.buffer)) continue;
    views.set(view, view);
    used.add(view.buffer as ArrayBuffer);
  }
  for (const child of data.children) collect(child, movable, views, used);
}

/** `data` with what its views became. */
function over(data: Data, views: ReadonlyMap<ArrayBufferView, ArrayBufferView>): Data {
  const children = data.children.map((child) => over(child, views));
  const buffers = buffersOf(data).map((view) => (view === undefined ? view : (views.get(view) ?? view)));
  return data.clone(undefined, undefined, undefined, undefined, buffers as never, children);
}

function viewsOf(data: Data): ArrayBufferView[] {
  return buffersOf(data).filter((view) => view !== undefined);
}

function buffersOf({ buffers }: Data): readonly (ArrayBufferView | undefined)[] {
  return buffers as unknown as readonly (ArrayBufferView | undefined)[];
}
