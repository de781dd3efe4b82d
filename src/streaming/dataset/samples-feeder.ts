import { knowSource } from '../../loader/feeder-source.js';
import { openSource } from './reopen-samples.js';
import { samplesModule } from './sample-source.js';

// The feeder's thread with what opens MDS data sets: `scripts/bundle-feeder.ts` makes one file of it.
knowSource(samplesModule, { openSource });
await import('../../loader/feeder-thread.js');
