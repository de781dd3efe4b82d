import { RecordBatch, Table, tableFromIPC, tableToIPC, Vector } from 'apache-arrow';
import { Packr } from 'msgpackr';
import { SpiralError, shown } from '../core/errors.js';
import { loosePartBytesMin } from '../core/limits.js';
import type { ArrayKind, LoosePart, PackedResult, Path } from './map-result.js';

const arrays: Readonly<Record<ArrayKind, new (buffer: ArrayBuffer) => ArrayBufferView>> = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

const packr = new Packr({ structuredClone: true, moreTypes: true, mapsAsObjects: false, copyBuffers: true });
// A class of the user's would otherwise be packed as what its toJSON returns.
(packr as { useToJSON?: boolean }).useToJSON = false;

/**
 * Packs `value`, which stays the caller's: what is transferred is a copy.
 *
 * @throws SpiralError `invalid_transform`, naming the place in the result, for what would not arrive as it is: functions,
 * promises, instances of classes.
 */
export function packResult(value: unknown): PackedResult {
  const outline = new Outline();
  const packed = packr.pack(outline.of(value, []));
  // msgpackr keeps its buffer.
  return { bytes: ownBuffer(packed), parts: outline.parts, places: outline.places };
}

/** The value that was packed; its typed arrays and Arrow data lie in the buffers that came. */
export function openResult({ bytes, parts, places }: PackedResult): unknown {
  const opened = parts.map(openPart);
  const root: unknown = packr.unpack(new Uint8Array(bytes));
  for (const { path, part } of places) {
    if (path.length === 0) return opened[part];
    put(root, path, opened[part]);
  }
  return root;
}

/** A copy of a value's containers, with null where a part was taken out. */
class Outline {
  readonly parts: LoosePart[] = [];
  readonly places: { path: Path; part: number }[] = [];
  readonly #numbers = new Map<object, number>();
  readonly #copies = new Map<object, unknown>();

  of(value: unknown, path: Path): unknown {
    if (typeof value === 'function' || typeof value === 'symbol') throw unsendable(value, path);
    if (typeof value !== 'object' || value === null || isLeaf(value)) return value;
    if (isPart(value)) return this.#take(value, path);
    const known = this.#copies.get(value);
    if (known !== undefined) return known;
    if (Array.isArray(value)) return this.#array(value, path);
    if (value instanceof Map) return this.#map(value, path);
    if (value instanceof Set) return this.#set(value, path);
    const prototype: unknown = Object.getPrototypeOf(value);
    // An object of another realm has another Object.prototype, whose own prototype is null all the same.
    if (prototype !== null && Object.getPrototypeOf(prototype) !== null) throw unsendable(value, path);
    return this.#object(value, path);
  }

  #take(value: object, path: Path): null {
    let part = this.#numbers.get(value);
    if (part === undefined) {
      part = this.parts.push(loosePart(value)) - 1;
      this.#numbers.set(value, part);
    }
    this.places.push({ path, part });
    return null;
  }

  #array(value: readonly unknown[], path: Path): unknown[] {
    const copy: unknown[] = [];
    this.#copies.set(value, copy);
    for (const [index, item] of value.entries()) {
      copy.push(typeof item === 'number' || typeof item === 'string' ? item : this.of(item, [...path, index]));
    }
    return copy;
  }

  #object(value: object, path: Path): object {
    const copy: Record<string, unknown> = {};
    this.#copies.set(value, copy);
    for (const [key, item] of Object.entries(value)) {
      // msgpackr gives it another name.
      if (key === '__proto__') throw refusedKey(key, path);
      copy[key] = this.of(item, [...path, key]);
    }
    return copy;
  }

  #map(value: ReadonlyMap<unknown, unknown>, path: Path): Map<unknown, unknown> {
    const copy = new Map<unknown, unknown>();
    this.#copies.set(value, copy);
    let number = 0;
    for (const [key, item] of value) copy.set(this.#inside(key, path), this.of(item, [...path, number++]));
    return copy;
  }

  #set(value: ReadonlySet<unknown>, path: Path): Set<unknown> {
    const copy = new Set<unknown>();
    this.#copies.set(value, copy);
    for (const item of value) copy.add(this.#inside(item, path));
    return copy;
  }

  /** A key of a Map or member of a Set, from where nothing can be taken out: packed as it is, typed arrays too. */
  #inside(value: unknown, path: Path): unknown {
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value;
    const before = this.places.length;
    const copy = this.of(value, [...path, 0]);
    if (this.places.length > before) throw unsendable(value, path);
    return copy;
  }
}

function isArrow(value: object): value is RecordBatch | Table | Vector {
  return RecordBatch.isRecordBatch(value) || Table.isTable(value) || Vector.isVector(value);
}

function isPart(value: object): boolean {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength >= loosePartBytesMin;
  return isArrow(value);
}

/** Whether msgpackr packs `value` as it is. */
function isLeaf(value: object): boolean {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return value.byteLength < loosePartBytesMin;
  return value instanceof Date || value instanceof RegExp || value instanceof Error;
}

function loosePart(value: object): LoosePart {
  if (value instanceof ArrayBuffer) return { kind: 'ArrayBuffer', buffer: value.slice(0) };
  if (ArrayBuffer.isView(value)) {
    const copy = new Uint8Array(value.byteLength);
    copy.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    // A Buffer is tagged as the Uint8Array that it is.
    const kind = value instanceof DataView ? 'DataView' : ((value as Uint8Array)[Symbol.toStringTag] as ArrayKind);
    return { kind, buffer: copy.buffer };
  }
  if (RecordBatch.isRecordBatch(value)) return { kind: 'RecordBatch', buffer: ipc(new Table([value])) };
  if (Table.isTable(value)) return { kind: 'Table', buffer: ipc(value) };
  return { kind: 'Vector', buffer: ipc(new Table({ vector: value as Vector })) };
}

function openPart({ kind, buffer }: LoosePart): unknown {
  switch (kind) {
    case 'ArrayBuffer':
      return buffer;
    case 'DataView':
      return new DataView(buffer);
    case 'RecordBatch': {
      const { batches, schema } = tableFromIPC(new Uint8Array(buffer));
      return batches[0] ?? new RecordBatch(schema, undefined);
    }
    case 'Table':
      return tableFromIPC(new Uint8Array(buffer));
    case 'Vector':
      return tableFromIPC(new Uint8Array(buffer)).getChildAt(0);
    default:
      return new arrays[kind](buffer);
  }
}

function ipc(table: Table): ArrayBuffer {
  return ownBuffer(tableToIPC(table, 'stream'));
}

/** A buffer that holds just `bytes`. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const copy = new Uint8Array(bytes.byteLength);
  copy.set(bytes);
  return copy.buffer;
}

function put(root: unknown, path: Path, value: unknown): void {
  let at = root;
  for (const step of path.slice(0, -1)) at = at instanceof Map ? [...at.values()][step as number] : child(at, step);
  const last = path.at(-1)!;
  if (at instanceof Map) at.set([...at.keys()][last as number], value);
  else (at as Record<string | number, unknown>)[last] = value;
}

const child = (of: unknown, step: string | number): unknown => (of as Record<string | number, unknown>)[step];

function refusedKey(key: string, path: Path): SpiralError {
  return new SpiralError(
    'invalid_transform',
    `Expected keys that can leave a worker, got '${key}' as one of ${placeOf(path)}. Give it another name, or return a Map.`,
    { details: { path, found: key } },
  );
}

function unsendable(value: unknown, path: Path): SpiralError {
  return new SpiralError(
    'invalid_transform',
    `Expected plain data that can leave a worker, got ${shown(value)} as ${placeOf(path)}. Return objects, arrays, Map, Set, Date, ` +
      'typed arrays or Arrow data; of a tensor its data and shape, of a class its fields.',
    { details: { path, found: shown(value) } },
  );
}

function placeOf(path: Path): string {
  return path.length === 0 ? 'the result' : `the result's ${path.map((step) => `[${JSON.stringify(step)}]`).join('')}`;
}
