import { arrayEncoder } from './mds-array-encoder.js';
import type { MdsEncoding } from './mds-encoding.js';
import { bytesEncoder, listEncoder, pilEncoder } from './mds-image-encoder.js';
import { numberEncoder, type ValueEncoder } from './mds-number-encoder.js';
import { textEncoder } from './mds-text-encoder.js';

/** What appends values of `encoding` as a shard holds them. `docs/mds.md` has the values that each takes. */
export function mdsEncoder({ name, body }: MdsEncoding): ValueEncoder {
  switch (body.kind) {
    case 'number':
      return numberEncoder(body.number);
    case 'bytes':
      return bytesEncoder;
    case 'text':
    case 'floatText':
      return textEncoder(name);
    case 'pil':
      return pilEncoder;
    case 'list':
      return listEncoder(body.reserved, body.item === 'pil' ? pilEncoder : bytesEncoder);
    case 'array':
      return arrayEncoder(body.number, body.shape);
  }
}
