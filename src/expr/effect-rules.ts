import { DataType, Float64 } from 'apache-arrow';
import { parseType } from '../arrow/words.js';
import { badCall, mistyped, type Rule, type Rules } from './call-site.js';
import type { FunctionName } from './function-name.js';
import { classOf, plainType } from './promote.js';
import { textArg } from './str-rules.js';

/** What a fetch gives; a failure shows in `meta.status_code` and null bytes. */
const fetched =
  'struct<{bytes: binary, meta: struct<{location: utf8, last_modified: timestamp[us, UTC], size: int64, e_tag: utf8, ' +
  'version: utf8, status_code: int32}>}>';

const fetch: Rule = {
  count: [1, 1],
  bind: (site) => ({ type: parseType(fetched), args: [textArg(site, site.args[0]!)], run: undefined }),
};

const udf: Rule = {
  count: [0, Number.POSITIVE_INFINITY],
  bind: (site) => {
    const { module, returns } = site.node.options ?? {};
    if (typeof module !== 'string' || typeof returns !== 'string') {
      throw badCall(site.node, 'a `module` and the type it `returns` of a udf');
    }
    const type = parseType(returns, 'what a udf returns');
    if (DataType.isDictionary(type))
      throw badCall(site.node, 'the values, not a dictionary, as the type that a udf `returns`');
    return { type, args: site.args, run: undefined };
  },
};

const field: Rule = {
  count: [1, 1],
  bind: (site) => ({ type: plainType(textArg(site, site.args[0]!).type), args: site.args, run: undefined }),
};

const score = new Float64();

const find: Rule = {
  count: [2, 2],
  bind: (site) => ({ type: score, args: site.args.map((arg) => textArg(site, arg)), run: undefined }),
};

const boost: Rule = {
  count: [2, 2],
  bind: (site) => {
    for (const arg of site.args) {
      const of = classOf(arg.type);
      if (of !== 'int' && !DataType.isFloat(plainType(arg.type))) throw mistyped(site, 'a score and a factor');
    }
    return { type: score, args: site.args, run: undefined };
  },
};

type EffectName = Extract<FunctionName, `text.${string}` | `${string}.get` | 'udf'>;

/** The functions that the environment computes. */
export const effectRules: Rules<EffectName> = {
  'http.get': fetch,
  's3.get': fetch,
  'file.get': fetch,
  udf,
  'text.field': field,
  'text.find': find,
  'text.boost': boost,
};
