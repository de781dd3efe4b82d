/** The functions of `se` that are calls in an expression's JSON; see `docs/guides/expressions.md` for what each does. */
export const functionNames = [
  'cast',
  'and',
  'or',
  'xor',
  'not',
  'eq',
  'neq',
  'lt',
  'lte',
  'gt',
  'gte',
  'is_null',
  'is_not_null',
  'in',
] as const;

/** The name of a function in an expression's JSON. */
export type FunctionName = (typeof functionNames)[number];
