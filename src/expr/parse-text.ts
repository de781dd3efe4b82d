import { SpiralError, shown } from '../core/errors.js';
import { nestingMax } from '../core/limits.js';
import { callWith, Expr } from './expr.js';
import type { FunctionName } from './function-name.js';
import { literalNode } from './literal.js';
import type { ExprNode } from './node.js';
import { TextTokens } from './text-tokens.js';

const comparisons: Readonly<Record<string, FunctionName>> = {
  '=': 'eq',
  '==': 'eq',
  '!=': 'neq',
  '<>': 'neq',
  '<': 'lt',
  '<=': 'lte',
  '>': 'gt',
  '>=': 'gte',
};

/** Brackets and `not`s inside one another: a condition written by hand has few. */
const depthMax: number = 2 * nestingMax;

/**
 * The condition that `text` writes, of columns of `of`.
 *
 * @throws SpiralError `invalid_expression`: `details.column` is where in the text, from 1.
 */
export function parseText(text: string, of: Expr): Expr {
  if (!(of instanceof Expr)) {
    throw new SpiralError(
      'invalid_expression',
      `Expected what the text is of to be a table, files or another expression, got ${shown(of)}.`,
      { details: { found: shown(of) } },
    );
  }
  const parser = new TextParser(new TextTokens(text), of);
  return parser.whole();
}

/** A parser by recursive descent, a method a rule of the grammar, which docs/guides/expressions.md gives. */
class TextParser {
  readonly #tokens: TextTokens;
  readonly #of: Expr;
  #depth = 0;

  constructor(tokens: TextTokens, of: Expr) {
    this.#tokens = tokens;
    this.#of = of;
  }

  whole(): Expr {
    const found = this.#any();
    this.#tokens.end();
    return found;
  }

  #any(): Expr {
    const parts = [this.#all()];
    while (this.#tokens.word('or')) parts.push(this.#all());
    return parts.length === 1 ? parts[0]! : callWith('or', parts);
  }

  #all(): Expr {
    const parts = [this.#negated()];
    while (this.#tokens.word('and')) parts.push(this.#negated());
    return parts.length === 1 ? parts[0]! : callWith('and', parts);
  }

  #negated(): Expr {
    if (!this.#tokens.word('not')) return this.#test();
    return this.#deeper(() => this.#negated().not());
  }

  #test(): Expr {
    const left = this.#operand();
    const sign = this.#tokens.sign(...Object.keys(comparisons));
    if (sign !== undefined) return callWith(comparisons[sign]!, [left, this.#operand()]);
    if (this.#tokens.word('is')) {
      const isNot = this.#tokens.word('not');
      this.#tokens.expectWord('null');
      return isNot ? left.isNotNull() : left.isNull();
    }
    const isNot = this.#tokens.word('not');
    const found = this.#membership(left);
    if (found !== undefined) return isNot ? found.not() : found;
    if (isNot) throw this.#tokens.unexpected("'in', 'like' or 'between'");
    return left;
  }

  /** What follows a value and may be negated: `in (…)`, `like '…'`, `between … and …`. */
  #membership(value: Expr): Expr | undefined {
    if (this.#tokens.word('in')) {
      this.#tokens.expectSign('(');
      const others = [this.#operand()];
      while (this.#tokens.sign(',') !== undefined) others.push(this.#operand());
      this.#tokens.expectSign(')');
      return value.in(others);
    }
    if (this.#tokens.word('like')) return value.str.like(this.#tokens.expectText());
    if (!this.#tokens.word('between')) return undefined;
    const low = this.#operand();
    this.#tokens.expectWord('and');
    return value.gte(low).and(value.lte(this.#operand()));
  }

  #operand(): Expr {
    if (this.#tokens.sign('(') !== undefined) {
      const inner = this.#deeper(() => this.#any());
      this.#tokens.expectSign(')');
      return inner;
    }
    const literal = this.#tokens.literal();
    if (literal !== undefined) return new Expr(literalNode(literal.value));
    const names = this.#tokens.columnNames();
    return new Expr(names.reduce<ExprNode>((of, name) => ({ kind: 'field', of, name }), this.#of.node));
  }

  #deeper<T>(rule: () => T): T {
    if (++this.#depth > depthMax) throw this.#tokens.tooDeep(depthMax);
    const found = rule();
    this.#depth--;
    return found;
  }
}
