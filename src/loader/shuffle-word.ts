import { oneOf, optionsObject } from '../core/check.js';
import type { DataLoaderOptions } from './options.js';

/** What `shuffle: 'epoch'` stands for: docs/guides/shuffling.md says why. */
const epochShuffle = {
  shuffleShards: true,
  shuffleChunkRows: 1024,
  interleaveShards: 8,
  shuffleBufferSize: 8192,
} as const;

/**
 * `options` with what `shuffle` stands for in its place; settings that are given themselves win.
 *
 * @throws SpiralError `invalid_argument` for another word, or what is no object.
 */
export function spelledOut<T>(options: DataLoaderOptions<T>): DataLoaderOptions<T> {
  const { shuffle, ...rest } = optionsObject('A data loader', options);
  if (shuffle === undefined) return rest;
  oneOf('shuffle', shuffle, ['epoch']);
  return {
    ...rest,
    shuffleShards: rest.shuffleShards ?? epochShuffle.shuffleShards,
    shuffleChunkRows: rest.shuffleChunkRows ?? epochShuffle.shuffleChunkRows,
    interleaveShards: rest.interleaveShards ?? epochShuffle.interleaveShards,
    shuffleBufferSize: rest.shuffleBufferSize ?? epochShuffle.shuffleBufferSize,
  };
}
