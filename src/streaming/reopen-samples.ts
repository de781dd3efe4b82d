import type { SourceModule } from '../loader/feeder-source.js';
import { openStreams, sharedOpener } from './open-streams.js';
import { openSamples, type SharedSamples, samplesSource } from './sample-source.js';

/** Opens a streaming data set in a feeder's thread, for as long as that lives. */
export const openSource: SourceModule['openSource'] = async (data) => {
  const { settings, begin, places } = data as SharedSamples;
  return samplesSource(openSamples(settings, await openStreams(settings, sharedOpener(places))), begin);
};
