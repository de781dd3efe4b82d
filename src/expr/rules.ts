import type { Rule } from './call-site.js';
import { castRules } from './cast-rule.js';
import { compareRules } from './compare-rules.js';
import type { FunctionName } from './function-name.js';
import { logicRules } from './logic-rules.js';

/** How every function is bound. */
export const rules: Readonly<Record<FunctionName, Rule>> = {
  ...castRules,
  ...compareRules,
  ...logicRules,
};
