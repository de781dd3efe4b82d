import { encode } from 'gpt-tokenizer/encoding/r50k_base';
import { paragraphs } from './corpus.js';
import { otherClass } from './shape.js';

/** Which class each of GPT-2's tokens belongs to. */
export class Vocabulary {
  readonly #classes = new Map<number, number>();
  readonly #counts: number[];

  /** Counts the tokens of the training part, half a second: the most frequent have a class of their own. */
  constructor() {
    const counts = new Map<number, number>();
    for (const { text } of paragraphs('train')) {
      for (const token of encode(text)) counts.set(token, (counts.get(token) ?? 0) + 1);
    }
    const ranked = [...counts].sort(([a, many], [b, more]) => more - many || a - b).slice(0, otherClass);
    this.#counts = ranked.map(([, count]) => count);
    for (const [rank, [token]] of ranked.entries()) this.#classes.set(token, rank);
  }

  /** The classes of the tokens of `text`. */
  classesOf(text: string): number[] {
    return encode(text).map((token) => this.#classes.get(token) ?? otherClass);
  }

  /** Nats that guessing by frequency alone costs a token: what a model must beat. */
  entropy(): number {
    const total = this.#counts.reduce((sum, count) => sum + count, 0);
    return -this.#counts.reduce((sum, count) => sum + (count / total) * Math.log(count / total), 0);
  }
}
