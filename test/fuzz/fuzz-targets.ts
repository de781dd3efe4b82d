import type { FuzzTarget } from './fuzz-target.js';
import { arrowTargets } from './targets/arrow-files.js';
import { expressionTargets } from './targets/expressions.js';
import { keptFileTargets } from './targets/kept-files.js';
import { mdsTargets } from './targets/mds-files.js';
import { parquetTargets } from './targets/parquet-files.js';
import { placeTargets } from './targets/places.js';
import { settingTargets } from './targets/settings.js';
import { stateTargets } from './targets/states.js';
import { tableTargets } from './targets/table-files.js';
import { metadataTargets } from './targets/table-metadata.js';
import { textTargets } from './targets/text-files.js';

/** Every parser of what comes from outside. */
export const fuzzTargets: readonly FuzzTarget[] = [
  ...arrowTargets,
  ...parquetTargets,
  ...textTargets,
  ...mdsTargets,
  ...tableTargets,
  ...metadataTargets,
  ...stateTargets,
  ...expressionTargets,
  ...settingTargets,
  ...placeTargets,
  ...keptFileTargets,
];
