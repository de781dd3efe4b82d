/** What became of the wish for a shard. */
export type Demand =
  | 'here'
  /** It was found here; this member is to check it. */
  | 'check'
  /** Its room is taken; this member is to fetch it. */
  | 'fetch'
  /** Another member is at it. */
  | 'elsewhere'
  /** There is no room. */
  | Full;

/** Why there is no room. */
export interface Full {
  /** Bytes that would do for all that is in use and waited for now. */
  readonly least: number;
  /** Whether something is on its way, so that it will be different soon. */
  readonly moving: boolean;
  /** Whether every member that has shards in use waits for room for another. */
  readonly stuck: boolean;
  /** Whether nobody waits for room since later. */
  readonly newest: boolean;
  readonly pinned: number;
  readonly members: number;
}

/** A wish for a shard that may have to wait. */
export interface Wish {
  readonly shard: number;
  /** When it began to wait for room, by the ledger's clock. */
  since: number | undefined;
  /** Whether it goes before those who waited longer, having waited long itself. */
  impatient: boolean;
}
