import { Data } from 'apache-arrow';
import type { ParquetChunk } from './parquet-chunk.js';
import { bitmapOf, leafData, type Validity } from './parquet-leaf.js';
import { leavesBelow, type ParquetLeaf, type ParquetNode } from './parquet-tree.js';

/**
 * The column `node` put together from the chunks of its leaves: validity and offsets of structs and lists are counted from
 * the levels of the first leaf below them (Melnik et al., "Dremel", 2010).
 *
 * @throws Error where levels of leaves contradict each other.
 */
export function assembleColumn(node: ParquetNode, chunkOf: (leaf: ParquetLeaf) => ParquetChunk): Data {
  switch (node.kind) {
    case 'leaf': {
      const chunk = chunkOf(node.leaf);
      const [slots, valid] = slotsOf(node, chunk);
      return leafData(node.type, node.leaf.element, chunk.values, slots, valid);
    }
    case 'struct': {
      const [slots, valid] = slotsOf(node, chunkOf(leavesBelow(node)[0]!));
      const children = node.children.map((child) => assembleColumn(child, chunkOf));
      for (const child of children) sameLength(child, slots);
      const [bitmap, nulls] = bitmapOf(valid, slots);
      return new Data(node.type, 0, slots, nulls, [undefined, undefined, bitmap] as never, children);
    }
    case 'list': {
      const chunk = chunkOf(leavesBelow(node)[0]!);
      const [slots, valid] = slotsOf(node, chunk);
      const offsets = offsetsOf(node, chunk, slots);
      const child = assembleColumn(node.child, chunkOf);
      sameLength(child, offsets[slots]!);
      const [bitmap, nulls] = bitmapOf(valid, slots);
      return new Data(node.type, 0, slots, nulls, [offsets, undefined, bitmap] as never, [child]);
    }
  }
}

function sameLength(child: Data, length: number): void {
  if (child.length !== length) throw new Error(`${child.length} values beside ${length} of another column`);
}

/** The number of slots of `node`, and which of them are not null. */
function slotsOf(
  { def: from, rep: most, slotDef }: ParquetNode,
  chunk: ParquetChunk,
): [slots: number, valid: Validity] {
  const { def, rep, entries } = chunk;
  // Without definition levels below the highest nothing is null, and no list is empty.
  if (rep === undefined && slotDef === 0) {
    if (def === undefined) return [entries, undefined];
    const valid = new Uint8Array(entries);
    for (let at = 0; at < entries; at++) valid[at] = def[at]! >= from ? 1 : 0;
    return [entries, valid];
  }
  const valid = new Uint8Array(entries);
  let slots = 0;
  for (let at = 0; at < entries; at++) {
    if (rep !== undefined && rep[at]! > most) continue;
    const level = def === undefined ? from : def[at]!;
    if (level < slotDef) continue;
    valid[slots++] = level >= from ? 1 : 0;
  }
  return [slots, valid.subarray(0, slots)];
}

/** Where each list of `node` begins among the elements. */
function offsetsOf({ def: list, rep: most, slotDef }: ParquetNode, chunk: ParquetChunk, slots: number): Int32Array {
  const { def, rep, entries } = chunk;
  const offsets = new Int32Array(slots + 1);
  let slot = 0;
  let elements = 0;
  for (let at = 0; at < entries; at++) {
    const repeated = rep === undefined ? 0 : rep[at]!;
    // Deeper lists go on within an element that was counted.
    if (repeated > most + 1) continue;
    const level = def === undefined ? list + 1 : def[at]!;
    if (repeated <= most) {
      if (level < slotDef) continue;
      offsets[slot++] = elements;
    } else if (slot === 0) throw new Error('a list goes on before it begins');
    if (level > list) elements++;
  }
  offsets[slots] = elements;
  return offsets;
}
