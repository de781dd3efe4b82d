import type { Readable } from 'node:stream';
import type { UploadTarget } from './upload.js';

/** What is being done to which object of a store in a cloud. */
export interface CloudWork {
  readonly uri: string;
  readonly path: string;
  readonly doing: 'read' | 'write' | 'list' | 'delete';
}

/** What a cloud tells of an object. */
export interface CloudFacts {
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch, whole seconds. */
  readonly modifiedMs: number;
  /** Changes with the content; the same wherever it is told. */
  readonly etag: string;
  /** The word that was put beside it, to tell who put it; null for none, or one that is not told. */
  readonly mark: string | null;
}

/** A page of a list. */
export interface CloudPage {
  /** In the order of the list; folders that begin are among them where that is by folders. */
  readonly objects: readonly (CloudFacts & { readonly key: string; readonly isFolder?: boolean })[];
  /** What the next page is had by; undefined at the end. */
  readonly next: string | undefined;
}

/** Bytes `from … to` of an object, or the last ones. */
export type CloudRange = { readonly from: number; readonly to: number } | { readonly last: number };

/** An object, or a part of it, that comes. */
export interface CloudAnswer {
  /** Of the whole object; undefined where it is not told. */
  readonly size: number | undefined;
  readonly etag: string | undefined;
  readonly from: number;
  /** Behind the last byte that comes; undefined where it is not told. */
  readonly to: number | undefined;
  readonly body: Readable;
}

/** What every request takes. */
export interface CloudCall {
  /** Ends it, and the reading of its answer. Not for what writes: it would not be known whether it did. */
  readonly signal?: AbortSignal | undefined;
  /** Names the work, where it is cancelled. */
  readonly what: string;
}

/** A request of an upload: for a `part` of it, the one that makes the object `whole`, or the one that is its `end`. */
export type UploadStep = 'part' | 'whole' | 'end';

/**
 * Tries a request again as long as that may help: for a `part`, the default, until the signal of the put aborts; for the
 * `whole` so too, but what is told then is the failure; for the `end` whatever the signal says.
 */
export type CloudRetry = <T>(work: (call: CloudCall, failed: number) => Promise<T>, step?: UploadStep) => Promise<T>;

/**
 * A bucket of a cloud's object store, by its own API. What fails does so as its library or its server has it, until
 * `errorOf` makes a SpiralError of it.
 */
export interface CloudClient {
  /** Whether lists are in the order of UTF-8 bytes. */
  readonly isOrdered: boolean;
  /** What `read` makes of the object, or the part of it; undefined where it ends before that part begins. */
  open<T>(
    key: string,
    range: CloudRange | undefined,
    call: CloudCall,
    read: (answer: CloudAnswer) => Promise<T>,
  ): Promise<T | undefined>;
  /** Undefined where there is none. */
  head(key: string, call: CloudCall): Promise<CloudFacts | undefined>;
  /** Makes or replaces the object. */
  put(key: string, bytes: Uint8Array, call: CloudCall): Promise<void>;
  /** Makes the object with `mark` beside it, and gives true; false where it is there. */
  claim(key: string, bytes: Uint8Array, mark: string, call: CloudCall): Promise<boolean>;
  list(prefix: string, page: string | undefined, call: CloudCall): Promise<CloudPage>;
  /** Nothing happens where there is none. */
  delete(key: string, call: CloudCall): Promise<void>;
  /** Where a large object goes; `mark` is put beside it. */
  uploadTo(key: string, mark: string, retry: CloudRetry): Omit<UploadTarget, 'uri' | 'path'>;
  /** A failure as a SpiralError that names the object and the remedy; one that is of no request as it is. */
  errorOf(error: unknown, work: CloudWork): unknown;
}
