import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = process.env['SPIRAL_FIXTURES'] ?? fileURLToPath(new URL('../../../shared/fixtures', import.meta.url));

/** Data sets that MosaicML's own code wrote. */
export const setFixtures: string = `${folder}/mosaic/mds`;
/** Orders that MosaicML's own code gave. Where the machine has none, tests that read them are skipped. */
export const orderFixtures: string = `${folder}/mosaic/orders`;
export const hasOrderFixtures: boolean = existsSync(orderFixtures);

/** Says in a test's name why it is skipped. */
export const fixturesNote: string = hasOrderFixtures ? '' : ` (skipped: no ${orderFixtures}; set SPIRAL_FIXTURES)`;

export function orderFixture<T>(name: string): T {
  return JSON.parse(readFileSync(`${orderFixtures}/${name}.json`, 'utf8')) as T;
}

/** The peer's tensor of an epoch: [nodes, ranks, workers, batches, batch], in C order; or the error that it raised. */
export interface PeerIds {
  readonly ids?: { readonly shape: readonly number[]; readonly flat: readonly number[] };
  readonly error?: string;
  readonly message?: string;
}

/** An order as the peer's tensor. */
export function tensorOf(
  order: { readonly rankLength: number; at(node: number, rank: number, place: number): number },
  world: { readonly nodes: number; readonly ranksPerNode: number; readonly workersPerRank: number },
  batchSize: number,
): { shape: number[]; flat: number[] } {
  const { nodes, ranksPerNode, workersPerRank } = world;
  const batches = order.rankLength / (workersPerRank * batchSize);
  const flat: number[] = [];
  for (let node = 0; node < nodes; node++)
    for (let rank = 0; rank < ranksPerNode; rank++)
      for (let worker = 0; worker < workersPerRank; worker++)
        for (let batch = 0; batch < batches; batch++)
          for (let at = 0; at < batchSize; at++)
            flat.push(order.at(node, rank, (batch * workersPerRank + worker) * batchSize + at));
  return { shape: [nodes, ranksPerNode, workersPerRank, batches, batchSize], flat };
}
