import type { Data, Schema } from 'apache-arrow';
import type { GroupList, TextIndex } from './text-groups.js';
import type { TextPlace } from './text-place.js';
import type { TextBlock } from './text-stream.js';

/** A pass over a whole file that finds its rows, and their types where no schema is given. */
export interface TextPass {
  /** As `TakeRows`; the rows go to the pass's list of groups. */
  take(block: TextBlock): number;
  finish(): TextIndex;
}

/** The rows of one group, and what of them to read. */
export interface GroupText {
  readonly bytes: Buffer;
  /** Whether all of it is UTF-8; where not, the row to blame is looked for. */
  readonly isUtf8: boolean;
  readonly index: TextIndex;
  /** The rows to read, counted in the group; others are passed over unread, whatever is in them. */
  readonly from: number;
  readonly to: number;
  /** Columns by number in the index's schema, each once. */
  readonly columns: readonly number[];
  readonly place: TextPlace;
}

/** A way to write rows as text. */
export interface TextFormat {
  /** Its name and what else decides how a file is read: indexes of other keys are of no use. */
  key(path: string): string;
  beginPass(path: string, schema: Schema | undefined, groups: GroupList, place: TextPlace): TextPass;
  /** Columns of a group, and how many rows there are in it. @throws SpiralError `corrupt_file`. */
  readGroup(path: string, text: GroupText): { readonly data: Data[]; readonly rows: number };
}
