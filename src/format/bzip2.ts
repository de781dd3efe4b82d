/** What Emscripten makes of libbzip2 1.0.8. */
interface Library {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(pointer: number): void;
  setValue(pointer: number, value: number, type: 'i32'): void;
  getValue(pointer: number, type: 'i32'): number;
  _BZ2_bzBuffToBuffCompress(to: number, toLength: number, from: number, length: number, ...settings: number[]): number;
  _BZ2_bzBuffToBuffDecompress(
    to: number,
    toLength: number,
    from: number,
    length: number,
    ...settings: number[]
  ): number;
}

/** libbzip2's own default, which bounds the time that repetitive input takes. */
const workFactor = 30;
let loaded: Promise<Library> | undefined;

/** `bytes` compressed in blocks of `level` × 100 kB. */
export async function bzip2Compress(bytes: Uint8Array, level: number): Promise<Uint8Array> {
  const library = await load();
  // What the library's manual says is always enough.
  const roomBytes = Math.ceil(bytes.length * 1.01) + 600;
  return run(library, bytes, roomBytes, (...places) =>
    library._BZ2_bzBuffToBuffCompress(...places, level, 0, workFactor),
  );
}

/** The at most `size` bytes that `bytes` are compressed of. @throws Error for damaged bytes, and for more than `size`. */
export async function bzip2Decompress(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  const library = await load();
  // Few bytes may become very many, so whether they do is tried in small before memory is set aside for as many as are told.
  for (let roomBytes = bytes.length * usualGrowth + blockBytes; ; roomBytes *= 8) {
    const room = Math.min(size, roomBytes);
    try {
      return run(library, bytes, room, (...places) => library._BZ2_bzBuffToBuffDecompress(...places, 0, 0));
    } catch (error) {
      if (!(error instanceof NoRoom) || room === size) throw error;
    }
  }
}

/** libbzip2's word for more output than there is room for. */
const outputFull = -8;
/** What text and numbers seldom grow beyond, and what a block of the largest size holds. */
const usualGrowth = 64;
const blockBytes = 900_000;
/** Bytes that input and output may take together. */
const addressable = 2 ** 31 - 1;

class NoRoom extends Error {}

/** Not by the package's own calls: they hold on to memory that moves when it grows. */
function run(
  library: Library,
  bytes: Uint8Array,
  roomBytes: number,
  call: (to: number, toLength: number, from: number, length: number) => number,
): Uint8Array {
  // What the library is asked for beyond 32 bits it takes for less.
  if (bytes.length + roomBytes > addressable) throw new Error(`no memory for ${bytes.length + roomBytes} bytes`);
  const from = library._malloc(Math.max(1, bytes.length));
  const to = library._malloc(Math.max(1, roomBytes));
  const length = library._malloc(4);
  try {
    if (from === 0 || to === 0 || length === 0) throw new Error(`no memory for ${bytes.length + roomBytes} bytes`);
    library.HEAPU8.set(bytes, from);
    library.setValue(length, roomBytes, 'i32');
    const code = call(to, length, from, bytes.length);
    if (code === outputFull) throw new NoRoom(`more than ${roomBytes} bytes`);
    if (code !== 0) throw new Error(`libbzip2 gave code ${code}`);
    return library.HEAPU8.slice(to, to + library.getValue(length, 'i32'));
  } finally {
    for (const pointer of [from, to, length]) if (pointer !== 0) library._free(pointer);
  }
}

function load(): Promise<Library> {
  loaded ??= loadQuietly();
  return loaded;
}

/** The package sets two globals and listens to the process's errors; both are taken back. */
async function loadQuietly(): Promise<Library> {
  const names = ['__dirname', 'require'] as const;
  const before = names.map((name) => Object.getOwnPropertyDescriptor(globalThis, name));
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const listening = events.map((event) => new Set(process.listeners(event as 'uncaughtException')));
  const { default: BZip2 } = await import('bzip2-wasm');
  const bzip2 = new BZip2();
  await bzip2.init();
  for (const [at, event] of events.entries()) {
    for (const listener of process.listeners(event as 'uncaughtException')) {
      if (!listening[at]!.has(listener)) process.off(event, listener);
    }
  }
  for (const [at, name] of names.entries()) {
    const was = before[at];
    if (was === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, was);
  }
  return bzip2.wasmModule as Library;
}
