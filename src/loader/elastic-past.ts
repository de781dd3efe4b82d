import { SpiralError, shown } from '../core/errors.js';
import type { WindowPlace } from './batch-stream.js';

/** A world that gave a part of an epoch before another took over in mid-epoch. */
export interface PastWorld {
  readonly worldSize: number;
  /** Where each rank stood; null: at the epoch's end. */
  readonly places: readonly (WindowPlace | null)[];
  /** Ranks that had received fewer batches than others, which is right only where they had no more rows. */
  readonly behind: readonly number[];
}

/** The worlds that an epoch has seen, the present one left out. */
export interface EpochPast {
  readonly epoch: number;
  readonly worlds: readonly PastWorld[];
}

/**
 * A past world in a state. `places` is base64 of two variable-length numbers a rank (7 bits a byte, low ones first): the
 * start of its window plus 1, or 0 at the epoch's end, and the rows taken of it. That is 8 bytes a rank or fewer, as base64
 * mostly too.
 */
export interface PastWorldJson {
  readonly worldSize: number;
  readonly places: string;
  readonly behind?: readonly number[];
}

export function pastToJson({ worldSize, places, behind }: PastWorld): PastWorldJson {
  const bytes: number[] = [];
  for (const place of places) {
    putNumber(bytes, place === null ? 0 : place.start + 1);
    if (place !== null) putNumber(bytes, place.taken);
  }
  const json = { worldSize, places: Buffer.from(bytes).toString('base64') };
  return behind.length === 0 ? json : { ...json, behind };
}

/** @throws SpiralError `invalid_state` unless `json` is what {@link pastToJson} made. */
export function pastFromJson(json: PastWorldJson): PastWorld {
  const ok =
    typeof json === 'object' &&
    json !== null &&
    Number.isSafeInteger(json.worldSize) &&
    json.worldSize > 0 &&
    typeof json.places === 'string';
  const places = ok ? placesOf(Buffer.from(json.places, 'base64'), json.worldSize) : undefined;
  const { behind = [] } = ok ? json : {};
  if (places === undefined || !Array.isArray(behind) || !behind.every((rank) => places[rank] !== undefined)) {
    throw new SpiralError(
      'invalid_state',
      `Expected a loader state whose \`past\` holds worlds as { worldSize, places }, got ${shown(json)}.`,
      { details: { found: json } },
    );
  }
  return { worldSize: json.worldSize, places, behind };
}

function placesOf(bytes: Uint8Array, count: number): (WindowPlace | null)[] | undefined {
  const places: (WindowPlace | null)[] = [];
  const at = { byte: 0 };
  for (let rank = 0; rank < count && at.byte < bytes.length; rank++) {
    const start = takeNumber(bytes, at);
    places.push(start === 0 ? null : { start: start - 1, taken: takeNumber(bytes, at) });
  }
  return places.length === count && at.byte === bytes.length ? places : undefined;
}

function putNumber(bytes: number[], value: number): void {
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push(128 + (rest % 128));
  bytes.push(rest);
}

function takeNumber(bytes: Uint8Array, at: { byte: number }): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    // A number cut off ends behind the bytes, which the caller sees.
    const byte = bytes[at.byte++] ?? 0;
    value += (byte % 128) * scale;
    if (byte < 128) return value;
  }
}
