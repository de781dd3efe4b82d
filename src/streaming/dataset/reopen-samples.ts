import type { MessagePort } from 'node:worker_threads';
import { SpiralError } from '../../core/errors.js';
import type { SourceModule } from '../../loader/feeder-source.js';
import { openStreams, type StreamIndexes, sharedOpener } from './open-streams.js';
import { openSamples, type SharedSamples, samplesSource } from './sample-source.js';

/** Opens a streaming data set in a feeder's thread, for as long as that lives: of the indexes that the other thread read. */
export const openSource: SourceModule['openSource'] = async (data) => {
  const { settings, begin, places, tables, indexes } = data as SharedSamples;
  const streams = await openStreams(settings, sharedOpener(places), tables, await received(indexes));
  return samplesSource(openSamples(settings, streams), begin);
};

/** @throws SpiralError `cancelled` where there are none: what opens the data set in the other thread has failed. */
function received(port: MessagePort): Promise<StreamIndexes> {
  return new Promise((resolve, reject) => {
    port.once('message', (indexes: StreamIndexes) => {
      resolve(indexes);
      port.close();
    });
    port.once('close', () => reject(new SpiralError('cancelled', 'The data set could not be opened.')));
  });
}
