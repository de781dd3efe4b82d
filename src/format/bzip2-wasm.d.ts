declare module 'bzip2-wasm' {
  /** libbzip2, compiled to WebAssembly. */
  export default class BZip2 {
    /** What Emscripten made, once `init` has resolved. */
    readonly wasmModule: unknown;
    init(): Promise<void>;
  }
}
