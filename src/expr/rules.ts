import { arithmeticRules } from './arithmetic-rules.js';
import type { Rules } from './call-site.js';
import { castRules } from './cast-rule.js';
import { compareRules } from './compare-rules.js';
import { effectRules } from './effect-rules.js';
import type { FunctionName } from './function-name.js';
import { listRules } from './list-rules.js';
import { logicRules } from './logic-rules.js';
import { numRules } from './num-rules.js';
import { strRules } from './str-rules.js';
import { timeRules } from './time-rules.js';

/** How every function is bound. */
export const rules: Rules<FunctionName> = {
  ...castRules,
  ...compareRules,
  ...logicRules,
  ...arithmeticRules,
  ...numRules,
  ...strRules,
  ...listRules,
  ...timeRules,
  ...effectRules,
};
