import { SpiralDataLoader, transformModule } from '../../../dist/index.js';

/** What a training script does that holds its own transform: a worker that imports it would train again. */
export const tell = () => 1;

new SpiralDataLoader(
  { openSource: async () => {} },
  { transformFn: transformModule(import.meta.url, 'tell'), mapWorkers: 1 },
);
