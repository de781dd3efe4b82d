import { Table as ArrowTable, Field, FixedSizeList, makeData, makeVector, type RecordBatch, Uint8 } from 'apache-arrow';
import type { TransformContext } from 'spiral-loader';
import { classes, contextTokens, otherClass, picks } from './shape.js';
import { Vocabulary } from './vocabulary.js';

// The transform of this example. Map workers import this file, so it only defines things.

let vocabulary: Vocabulary;

/** Called once in each worker before its first batch. */
export function loadVocabulary(): void {
  vocabulary = new Vocabulary();
}

/**
 * Paragraphs to training examples: tokenizes each, and draws some of its places, other ones each epoch but the same ones
 * when the run is resumed. Gives `{ context: fixed_size_list<uint8>[2048], next: int32 }`, the classes of the tokens
 * before a place as ones among zeros, and the class of the token there; 16 rows for each paragraph.
 */
export function examples(batch: RecordBatch, context: TransformContext): RecordBatch {
  const text = batch.getChild('text')!;
  const rows = batch.numRows * picks;
  const ones = new Uint8Array(rows * contextTokens * classes);
  const next = new Int32Array(rows);
  for (let row = 0, at = 0; row < batch.numRows; row++) {
    const tokens = vocabulary.classesOf(text.get(row));
    const places = placesOf(tokens);
    const draw = context.random(row);
    for (let pick = 0; pick < picks; pick++, at++) {
      const place = places[draw.below(places.length)]!;
      for (let back = 0; back < contextTokens; back++) {
        ones[(at * contextTokens + back) * classes + tokens[place - 1 - back]!] = 1;
      }
      next[at] = tokens[place]!;
    }
  }
  return batchOf(ones, next);
}

/** The places whose token has a class of its own, behind enough others. */
function placesOf(tokens: readonly number[]): number[] {
  const places = [];
  for (let at = contextTokens; at < tokens.length; at++) if (tokens[at] !== otherClass) places.push(at);
  if (places.length === 0) throw new Error(`A paragraph of ${tokens.length} tokens has no frequent one.`);
  return places;
}

function batchOf(ones: Uint8Array, next: Int32Array): RecordBatch {
  const type = new FixedSizeList(contextTokens * classes, new Field('item', new Uint8(), false));
  const child = makeData({ type: new Uint8(), length: ones.length, nullCount: 0, data: ones });
  const context = makeVector(makeData({ type, length: next.length, nullCount: 0, child }));
  return new ArrowTable({ context, next: makeVector(next) }).batches[0]!;
}
