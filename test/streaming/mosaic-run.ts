import type { MosaicState } from '../../src/streaming/mosaic/mosaic-position.js';

export type Fields = Readonly<Record<string, unknown>>;

/** A run of MosaicML's real loader, as the fixtures tell it. */
export interface Run {
  readonly world_size: number;
  readonly nodes: number;
  readonly cfg: {
    readonly batch_size: number;
    readonly num_workers: number;
    readonly epochs: number;
    readonly kw: Fields;
    readonly load?: MosaicState;
    readonly state_at?: number;
  };
  readonly ranks: readonly {
    readonly rank: number;
    readonly epochs: readonly (readonly (readonly number[])[])[];
    readonly states: readonly { readonly after_batches: number; readonly state: MosaicState }[];
    readonly len_dataset: number;
  }[];
}
