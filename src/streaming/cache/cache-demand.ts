import { SpiralError } from '../../core/errors.js';

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

/** The error of a limit that leaves no room for `shard`, and never will. */
export function limitTooSmall(
  folder: string,
  limit: number,
  shard: number,
  { least, pinned, members }: Full,
): SpiralError {
  return new SpiralError(
    'limit_exceeded',
    `Expected room for shard ${shard} in the cache ${folder}, whose limit is ${limit} bytes, but ${pinned} shards are in use by ` +
      `${members} members and none is let go. Raise the limit to at least ${least} bytes, use fewer processes, or hold ` +
      'fewer shards at once.',
    { details: { folder, shard, limit, least, pinned, members } },
  );
}
