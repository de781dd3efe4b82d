/** Forked by piece-disk.test.ts: writes pieces as fast as it can until it is killed. */
import { randomStream, uniqueId } from '../../src/core/random.js';
import { PieceDisk } from '../../src/storage/piece-disk.js';
import { CachedObject, PieceKey } from '../../src/storage/piece-key.js';
import { bytesOf } from '../../src/testing/store-law-probes.js';

const [folder, capacityBytes, pieceBytes] = process.argv.slice(2);
const disk = new PieceDisk({
  folder: folder!,
  name: 'test',
  pieceBytes: Number(pieceBytes),
  capacityBytes: Number(capacityBytes),
});
const object = new CachedObject('memory://here', 'a', '1');
const random = randomStream('piece-writer', uniqueId(''));
const bytes = Array.from({ length: 48 }, (_, number) => bytesOf(`piece ${number}`, Number(pieceBytes)));
for (let turn = 0; ; turn++) {
  const number = random.below(48);
  disk.write(new PieceKey(object, 'piece', number, Number(pieceBytes)), bytes[number]!);
  await disk.settled();
  if (turn === 20) process.send?.('ready');
}
