import { SpiralError } from '../../core/errors.js';
import type { MosaicWorld } from './mosaic-partition.js';

/** A rank's place in the world that shares an epoch, which is smaller where ranks get the same samples. */
export interface ReplicatedRank {
  readonly world: MosaicWorld;
  readonly node: number;
  readonly rankOfNode: number;
}

/**
 * The place of `rank` where `replication` ranks in a row count as one: as few nodes as hold what is left, with equal ranks.
 *
 * @throws SpiralError `invalid_world` where the rank is none of the world's, or ranks and replication do not divide.
 */
export function replicatedRank(world: MosaicWorld, rank: number, replication: number): ReplicatedRank {
  const { nodes, ranksPerNode, workersPerRank } = world;
  const given = nodes * ranksPerNode;
  const whole = [nodes, ranksPerNode, workersPerRank].every((count) => Number.isSafeInteger(count) && count >= 1);
  if (!whole || !(Number.isSafeInteger(rank) && rank >= 0 && rank < given)) {
    throw new SpiralError(
      'invalid_world',
      `Expected at least 1 node, rank and worker, and a rank below their number, got ${nodes} nodes of ${ranksPerNode} ` +
        `ranks with ${workersPerRank} workers, rank ${rank}.`,
      { details: { nodes, ranksPerNode, workersPerRank, rank } },
    );
  }
  const ranks = given / replication;
  const nodesLeft = Math.ceil(ranks / ranksPerNode);
  const ranksLeft = ranks / nodesLeft;
  if (!Number.isInteger(ranks) || !Number.isInteger(ranksLeft)) {
    throw new SpiralError(
      'invalid_world',
      `Expected \`replication\` to divide the ${given} ranks into equal nodes, got ${replication}.`,
      { details: { replication, nodes, ranksPerNode } },
    );
  }
  const own = Math.floor(rank / replication);
  return {
    world: { nodes: nodesLeft, ranksPerNode: ranksLeft, workersPerRank },
    node: Math.floor(own / ranksLeft),
    rankOfNode: own % ranksLeft,
  };
}
