import { checksum } from '../../arrow/checksum.js';
import { SpiralError } from '../../core/errors.js';
import type { Checkpoint } from './checkpoint.js';
import type { SavedTensor } from './model-state.js';

/** `SPIRALCK`, read as bytes. */
const magic: Buffer = Buffer.from('SPIRALCK', 'latin1');
const version = 1;
/** Magic, version, header bytes, header CRC-32: the last three as little-endian uint32. */
const prefixBytes = 20;

const groups = ['weights', 'slots', 'variables'] as const;

/** The header: everything but the weights' bytes, which follow it tensor by tensor. */
interface Header {
  readonly loader: unknown;
  readonly extra: unknown;
  readonly optimizer: string | null;
  readonly tensors: Record<(typeof groups)[number], readonly TensorEntry[]>;
  readonly bodyBytes: number;
  readonly bodyCrc: number;
}

type TensorEntry = Pick<SavedTensor, 'name' | 'shape' | 'dtype'> & { readonly bytes: number };

/** The file of `checkpoint`, in pieces. */
export function encodeCheckpoint({ model, loader, extra }: Checkpoint): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  const entries = (tensors: readonly SavedTensor[]): TensorEntry[] =>
    tensors.map(({ name, shape, dtype, values }) => {
      bodies.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      return { name, shape, dtype, bytes: values.byteLength };
    });
  const tensors = { weights: entries(model.weights), slots: entries(model.slots), variables: entries(model.variables) };
  const bodyBytes = bodies.reduce((sum, body) => sum + body.byteLength, 0);
  const bodyCrc = bodies.reduce((crc, body) => checksum(body, crc), 0);
  const header: Header = { loader, extra, optimizer: model.optimizer, tensors, bodyBytes, bodyCrc };
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(prefixBytes);
  magic.copy(prefix);
  prefix.writeUInt32LE(version, 8);
  prefix.writeUInt32LE(text.length, 12);
  prefix.writeUInt32LE(checksum(text), 16);
  return [prefix, text, ...bodies];
}

/**
 * What {@link encodeCheckpoint} made; `path` is for the error's sake.
 *
 * @throws SpiralError `corrupt_file`, `state_version`.
 */
export function decodeCheckpoint(bytes: Uint8Array, path: string): Checkpoint {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (file.length < prefixBytes || !file.subarray(0, 8).equals(magic)) throw corrupt(path, 'it does not begin as one');
  const found = file.readUInt32LE(8);
  if (found !== version) {
    throw new SpiralError(
      'state_version',
      `The checkpoint ${path} is of version ${found}, this release reads version ${version}. Use the release that wrote it.`,
      { details: { path, expected: version, found } },
    );
  }
  const bodyStart = prefixBytes + file.readUInt32LE(12);
  const text = file.subarray(prefixBytes, bodyStart);
  if (bodyStart > file.length || checksum(text) !== file.readUInt32LE(16)) throw corrupt(path, 'its header is damaged');
  const header = headerOf(text, path);
  const body = file.subarray(bodyStart);
  if (body.length !== header.bodyBytes) {
    throw corrupt(path, `it has ${body.length} bytes of weights in place of ${header.bodyBytes}`);
  }
  if (checksum(body) !== header.bodyCrc) throw corrupt(path, 'the checksum of its weights is wrong');
  let start = 0;
  const taken = (group: (typeof groups)[number]): SavedTensor[] =>
    header.tensors[group].map(({ bytes: length, ...entry }) => {
      const values = valuesOf(entry.dtype, Uint8Array.from(body.subarray(start, (start += length))).buffer);
      return { ...entry, values };
    });
  const [weights, slots, variables] = [taken('weights'), taken('slots'), taken('variables')];
  return {
    model: { weights, slots, variables, optimizer: header.optimizer },
    loader: header.loader,
    extra: header.extra,
  };
}

/** What `text` tells, checked though its checksum holds: tensors are then made of it without a look. */
function headerOf(text: Buffer, path: string): Header {
  let header: Partial<Header> | null;
  try {
    header = JSON.parse(text.toString()) as Partial<Header> | null;
  } catch {
    throw corrupt(path, 'its header is no JSON');
  }
  const { optimizer, tensors, bodyBytes, bodyCrc } = header ?? {};
  const lists = groups.map((group): unknown => (tensors as Partial<Header['tensors']> | null | undefined)?.[group]);
  if (!(optimizer === null || typeof optimizer === 'string') || !isWhole(bodyBytes) || !isWhole(bodyCrc)) {
    throw corrupt(path, 'its header is not that of a checkpoint');
  }
  let bytes = 0;
  for (const list of lists) {
    if (!Array.isArray(list)) throw corrupt(path, 'its header lists no tensors');
    for (const entry of list as unknown[]) {
      if (!isTensor(entry))
        throw corrupt(path, 'its header tells of a tensor whose shape and bytes do not fit each other');
      bytes += entry.bytes;
    }
  }
  if (bytes !== bodyBytes) throw corrupt(path, `its tensors have ${bytes} bytes in place of ${bodyBytes}`);
  return header as Header;
}

function isTensor(raw: unknown): raw is TensorEntry {
  const { name, shape, dtype, bytes } = (raw ?? {}) as { readonly [Key in keyof TensorEntry]?: unknown };
  const width = dtype === 'bool' ? 1 : dtype === 'float32' || dtype === 'int32' ? 4 : undefined;
  if (typeof name !== 'string' || width === undefined || !Array.isArray(shape) || !shape.every(isWhole)) return false;
  return shape.reduce((product: number, side) => product * (side as number), width) === bytes;
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function valuesOf(dtype: SavedTensor['dtype'], buffer: ArrayBuffer): SavedTensor['values'] {
  if (dtype === 'float32') return new Float32Array(buffer);
  return dtype === 'int32' ? new Int32Array(buffer) : new Uint8Array(buffer);
}

function corrupt(path: string, why: string): SpiralError {
  return new SpiralError(
    'corrupt_file',
    `Expected ${path} to be a checkpoint, but ${why}. Remove it to start over, or put an older copy in its place.`,
    { details: { path, why } },
  );
}
