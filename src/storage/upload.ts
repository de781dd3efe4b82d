import { checkSignal } from '../core/abort.js';
import { SpiralError, shown } from '../core/errors.js';
import { uploadPartBytes, uploadPartsAhead, uploadPartsMax } from '../core/limits.js';
import { uninitializedBytes } from './byte-buffer.js';
import { takeBody } from './put-body.js';
import type { PutBody } from './store.js';

/** A part that was sent: its number, from 1, and what the store calls it. */
export interface SentPart {
  readonly number: number;
  readonly tag: string;
}

/** Where an object is to be put; each of its requests is tried again as far as that is safe. */
export interface UploadTarget {
  readonly uri: string;
  readonly path: string;
  /** Puts the whole object. */
  put(bytes: Uint8Array): Promise<void>;
  /** Begins an upload in parts, and gives its name. */
  begin(): Promise<string>;
  /** Sends a part, and gives what the store calls it. */
  part(upload: string, number: number, bytes: Uint8Array): Promise<string>;
  /** Makes the object of all parts, in order. */
  complete(upload: string, parts: readonly SentPart[]): Promise<void>;
  /** Ends an upload that comes to nothing. */
  abort(upload: string): Promise<void>;
}

/**
 * Puts `body`: what is at most one part at once, more in parts of one size, several on their way at a time. The object is
 * there once the last request is answered, and nothing of it if anything fails.
 */
export async function upload(target: UploadTarget, body: PutBody, signal: AbortSignal | undefined): Promise<void> {
  const what = `write of ${target.path}`;
  const partBytes = body instanceof Uint8Array ? partBytesOf(body.length) : uploadPartBytes;
  if (body instanceof Uint8Array && body.length <= partBytes) {
    checkSignal(signal, what);
    await target.put(body);
    return;
  }
  const parts = new Parts(target, partBytes);
  try {
    await takeBody(body, (pieces) => parts.take(pieces), what, signal);
    checkSignal(signal, what);
    await parts.finish();
  } catch (error) {
    await parts.abort();
    throw error;
  }
}

/** Parts are of one size, which grows where there would be too many. */
function partBytesOf(bytes: number): number {
  return Math.max(uploadPartBytes, Math.ceil(bytes / uploadPartsMax));
}

class Parts {
  readonly #target: UploadTarget;
  readonly #partBytes: number;
  readonly #sent: Promise<SentPart>[] = [];
  readonly #under: Set<Promise<unknown>> = new Set();
  #upload: string | undefined;
  #part: Uint8Array | undefined;
  #filled = 0;

  constructor(target: UploadTarget, partBytes: number) {
    this.#target = target;
    this.#partBytes = partBytes;
  }

  /** Copies `pieces`, and sends the parts that are full. */
  async take(pieces: readonly Uint8Array[]): Promise<void> {
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; ) {
        // A part goes once something follows it: what fits one part is put at once.
        if (this.#filled === this.#partBytes) await this.#send();
        this.#part ??= uninitializedBytes(this.#partBytes);
        const more = piece.subarray(at, at + this.#partBytes - this.#filled);
        this.#part.set(more, this.#filled);
        this.#filled += more.length;
        at += more.length;
      }
    }
  }

  async finish(): Promise<void> {
    const rest = this.#part?.subarray(0, this.#filled) ?? new Uint8Array(0);
    if (this.#upload === undefined) {
      await this.#target.put(rest);
      return;
    }
    await this.#send();
    await this.#target.complete(this.#upload, await Promise.all(this.#sent));
    this.#upload = undefined;
  }

  /** Ends what was begun; parts that were sent cost nothing any more. */
  async abort(): Promise<void> {
    await Promise.allSettled(this.#sent);
    if (this.#upload === undefined) return;
    // The first failure is what is told; what cannot be ended, a rule of the bucket ends.
    await this.#target.abort(this.#upload).catch(() => {});
    this.#upload = undefined;
  }

  async #send(): Promise<void> {
    if (this.#sent.length === uploadPartsMax) throw tooLong(this.#target, this.#partBytes);
    this.#upload ??= await this.#target.begin();
    while (this.#under.size >= uploadPartsAhead) await Promise.race(this.#under);
    const number = this.#sent.length + 1;
    const bytes = this.#part!.subarray(0, this.#filled);
    this.#part = undefined;
    this.#filled = 0;
    const part = this.#target.part(this.#upload, number, bytes).then((tag) => ({ number, tag }));
    this.#sent.push(part);
    this.#under.add(part);
    part.then(
      () => this.#under.delete(part),
      // It stays, so that the next part, or the end, meets the failure.
      () => {},
    );
  }
}

function tooLong({ uri, path }: UploadTarget, partBytes: number): SpiralError {
  const max = uploadPartsMax * partBytes;
  return new SpiralError(
    'limit_exceeded',
    `Expected a stream of at most ${max} bytes for ${shown(path)} in ${uri}, which is ${uploadPartsMax} parts, got more. Put it in several objects.`,
    { details: { uri, path, max } },
  );
}
