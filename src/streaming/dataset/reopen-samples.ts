import { SpiralError } from '../../core/errors.js';
import type { SourceModule } from '../../loader/feeder-source.js';
import { openStreams, sharedOpener } from './open-streams.js';
import { openSamples, type SharedSamples, samplesSource } from './sample-source.js';

/** Opens a streaming data set in a feeder's thread, for as long as that lives. @throws SpiralError `file_changed`. */
export const openSource: SourceModule['openSource'] = async (data) => {
  const { settings, begin, places, tables, identity } = data as SharedSamples;
  const streams = await openStreams(settings, sharedOpener(places), tables);
  if (identity !== undefined && identity !== streams.shards.identity) {
    throw new SpiralError('file_changed', 'The data set was written anew while it was read. Open it again.', {
      details: { expected: identity, found: streams.shards.identity },
    });
  }
  return samplesSource(openSamples(settings, streams), begin);
};
