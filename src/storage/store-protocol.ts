import type { WireError } from '../core/error-wire.js';
import type { ObjectInfo } from './store.js';

/** What a store's client in one thread and its server in another say to each other. The client numbers its calls. */

/** One operation. */
export type StoreCall =
  | { readonly op: 'get'; readonly path: string }
  | {
      readonly op: 'getRange';
      readonly path: string;
      readonly offset: number;
      readonly length: number;
      readonly etag: string | undefined;
    }
  | { readonly op: 'getTail'; readonly path: string; readonly length: number }
  | { readonly op: 'head'; readonly path: string }
  /** Without a body it is streamed: a `piece` for each `pull`. */
  | { readonly op: 'put'; readonly path: string; readonly body: readonly Uint8Array[] | undefined }
  | { readonly op: 'putIfAbsent'; readonly path: string; readonly body: readonly Uint8Array[] }
  | { readonly op: 'delete'; readonly path: string }
  /** The first page; `more` under the same number is the next one. */
  | { readonly op: 'list'; readonly prefix: string }
  | { readonly op: 'more' };

/** What each operation answers. */
export interface StoreAnswers {
  readonly get: Uint8Array;
  readonly getRange: Uint8Array;
  readonly getTail: { readonly bytes: Uint8Array; readonly size: number };
  readonly head: ObjectInfo | undefined;
  readonly put: undefined;
  readonly putIfAbsent: boolean;
  readonly delete: undefined;
  readonly list: ListPage;
  readonly more: ListPage;
}

/** A part of a list: `ended` where none follows, `error` where the list failed behind it. */
export interface ListPage {
  readonly infos: readonly ObjectInfo[];
  readonly ended: boolean;
  readonly error: WireError | undefined;
}

export type ToServer =
  | { readonly kind: 'call'; readonly id: number; readonly call: StoreCall }
  /** The next piece of a streamed body, undefined at its end. */
  | { readonly kind: 'piece'; readonly id: number; readonly piece: Uint8Array | undefined }
  /** The call is to end, or the list is left. */
  | { readonly kind: 'abort'; readonly id: number };

export type FromServer =
  | { readonly kind: 'answer'; readonly id: number; readonly value: StoreAnswers[keyof StoreAnswers] }
  | { readonly kind: 'error'; readonly id: number; readonly error: WireError }
  | { readonly kind: 'pull'; readonly id: number };
