import { inLists, type ListedStream } from './put-body.js';

/** Pieces below this are joined before they are handed on: a write of a few bytes costs as much as one of many. */
const pieceBytesMin = 64 * 1024;

/**
 * The body of a put whose bytes are made elsewhere: what is pushed on one side is pulled on the other. The maker is one
 * push ahead at most, so that bytes are made while others are written, and no more are held.
 */
export class BodyPipe {
  /** What is pushed, in pieces worth writing, those of one push together. Read once. */
  readonly body: ListedStream = {
    [Symbol.asyncIterator]: () => this.#single(),
    [inLists]: () => this.#lists(),
  };
  #pieces: readonly Uint8Array[] | undefined;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #left = false;
  /** Wakes the side that waits: there is one at most. */
  #wake: () => void = () => {};

  /** Resolves once there is room for more, or nobody reads any more. */
  async push(pieces: readonly Uint8Array[]): Promise<void> {
    while (this.#pieces !== undefined && !this.#left) await this.#turn();
    this.#pieces = pieces;
    this.#wake();
  }

  /** Nothing more comes. */
  end(): void {
    this.#ended = true;
    this.#wake();
  }

  /** Ends the body with `error`, which the put then rejects with. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  /** Nobody reads any more: what is pushed from now on is dropped. */
  leave(): void {
    this.#left = true;
    this.#wake();
  }

  async *#single(): AsyncGenerator<Uint8Array> {
    for await (const pieces of this.#lists()) yield* pieces;
  }

  async *#lists(): AsyncGenerator<readonly Uint8Array[]> {
    try {
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure.error;
        const pieces = this.#pieces;
        if (pieces !== undefined) {
          yield Array.from(joined(pieces));
          this.#pieces = undefined;
          this.#wake();
        } else if (this.#ended) return;
        else await this.#turn();
      }
    } finally {
      this.leave();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}

function* joined(pieces: readonly Uint8Array[]): Generator<Uint8Array> {
  let small: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of pieces) {
    if (piece.byteLength < pieceBytesMin) {
      small.push(piece);
      bytes += piece.byteLength;
    }
    if (bytes > 0 && (bytes >= pieceBytesMin || piece.byteLength >= pieceBytesMin)) {
      yield Buffer.concat(small, bytes);
      small = [];
      bytes = 0;
    }
    if (piece.byteLength >= pieceBytesMin) yield piece;
  }
  if (bytes > 0) yield Buffer.concat(small, bytes);
}
