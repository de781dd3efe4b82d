import type { DataType } from 'apache-arrow';
import { sameType } from '../arrow/schema.js';
import { parseType, typeWords } from '../arrow/words.js';
import type { BoundExpr } from './bound.js';
import { badCall, type CallSite, mistyped, type Rules, typeText } from './call-site.js';
import { castKernel } from './cast.js';
import { fitLiteral } from './fit-literal.js';
import type { CallNode } from './node.js';
import { plainType } from './promote.js';

/** `arg` as values of `type`, which the caller knows to be castable to. */
export function castTo(arg: BoundExpr, type: DataType): BoundExpr {
  if (sameType(plainType(arg.type), type)) return arg;
  const node: CallNode = { kind: 'call', fn: 'cast', args: [arg.node], options: { type: typeWords(type) } };
  return { kind: 'call', node, type, args: [arg], run: kernelFor({ node, args: [arg] }, type) };
}

function kernelFor(site: CallSite, type: DataType): ReturnType<typeof castKernel> & object {
  const from = plainType(site.args[0]!.type);
  const kernel = castKernel(from, type);
  if (kernel !== undefined) return kernel;
  throw mistyped(site, `a value that can be cast to ${typeText(type)}`);
}

/** `cast`: see {@link castKernel}. */
export const castRules: Rules<'cast'> = {
  cast: {
    count: [1, 1],
    bind: (site) => {
      const words = site.node.options?.['type'];
      if (typeof words !== 'string') throw badCall(site.node, 'a type in words, `type`,');
      const type = parseType(words, 'a cast');
      const [arg] = site.args as [BoundExpr];
      // A constant that the type holds needs no cast, and may be of a form that only literals have.
      const literal = arg.kind === 'literal' ? fitLiteral(arg, plainType(type)) : undefined;
      const args = literal === undefined ? [arg] : [literal];
      return { type: plainType(type), args, run: kernelFor({ node: site.node, args }, plainType(type)) };
    },
  },
};
