import { checkSignal } from '../core/abort.js';
import { SpiralError, shown } from '../core/errors.js';
import { uploadPartBytes, uploadPartsAhead, uploadPartsMax } from '../core/limits.js';
import { uniqueId } from '../core/random.js';
import { uninitializedBytes } from './byte-buffer.js';
import { takeBody } from './put-body.js';
import type { S3Answer, S3Operation } from './s3-client.js';
import { statusOf } from './s3-errors.js';
import type { PutBody } from './store.js';

/** Where an object is to be put, and how a request about it is sent, retries and all. */
export interface UploadTarget {
  readonly uri: string;
  readonly path: string;
  /** @throws as the SDK, or as a SpiralError. */
  send(operation: S3Operation, input: Readonly<Record<string, unknown>>): Promise<S3Answer>;
  /** The mark that the object there was put with. */
  markOf(): Promise<string | null | undefined>;
}

/** The name of the word that is kept beside an object, to tell who put it. */
export const markName = 'spiral-put';

/**
 * Puts `body`: what is at most one part at once, more in parts of one size, several on their way at a time. The object is
 * there once the last request is answered, and nothing of it if anything fails.
 */
export async function upload(target: UploadTarget, body: PutBody, signal: AbortSignal | undefined): Promise<void> {
  const what = `write of ${target.path}`;
  const partBytes = body instanceof Uint8Array ? partBytesOf(body.length) : uploadPartBytes;
  if (body instanceof Uint8Array && body.length <= partBytes) {
    checkSignal(signal, what);
    await target.send('PutObject', { Body: body });
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
  readonly #mark: string = uniqueId('');
  readonly #sent: Promise<{ PartNumber: number; ETag: string | undefined }>[] = [];
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
      await this.#target.send('PutObject', { Body: rest });
      return;
    }
    await this.#send();
    const Parts = await Promise.all(this.#sent);
    try {
      await this.#target.send('CompleteMultipartUpload', { UploadId: this.#upload, MultipartUpload: { Parts } });
    } catch (error) {
      // Where an answer was lost, the upload may have been completed.
      if (statusOf((error as Error).cause) !== 404 || (await this.#target.markOf()) !== this.#mark) throw error;
    }
    this.#upload = undefined;
  }

  /** Ends what was begun; parts that were sent cost nothing any more. */
  async abort(): Promise<void> {
    await Promise.allSettled(this.#sent);
    if (this.#upload === undefined) return;
    // The first failure is what is told; what cannot be ended, a rule of the bucket ends.
    await this.#target.send('AbortMultipartUpload', { UploadId: this.#upload }).catch(() => {});
    this.#upload = undefined;
  }

  async #send(): Promise<void> {
    if (this.#sent.length === uploadPartsMax) throw tooLong(this.#target, this.#partBytes);
    this.#upload ??= (
      await this.#target.send('CreateMultipartUpload', { Metadata: { [markName]: this.#mark } })
    ).UploadId;
    while (this.#under.size >= uploadPartsAhead) await Promise.race(this.#under);
    const PartNumber = this.#sent.length + 1;
    const Body = this.#part!.subarray(0, this.#filled);
    this.#part = undefined;
    this.#filled = 0;
    const part = this.#target
      .send('UploadPart', { UploadId: this.#upload, PartNumber, Body })
      .then(({ ETag }) => ({ PartNumber, ETag }));
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
