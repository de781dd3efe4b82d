import { SpiralError } from '../../core/errors.js';

/** Which processes share an epoch: nodes, the ranks of each, and the workers of each rank. All at least 1. */
export interface MosaicWorld {
  readonly nodes: number;
  readonly ranksPerNode: number;
  readonly workersPerRank: number;
}

/** How MosaicML deals samples to ranks: `relaxed` resumes on any number of nodes that divides the global batch. */
export type PartitionAlgo = 'orig' | 'relaxed';

/** What of an epoch goes where. Places are computed when asked for: nothing here is as long as the epoch. */
export interface Partition {
  /** Places of each rank: `workersPerRank * batchSize * batches`. */
  readonly rankLength: number;
  /** Blocks of `batchSize` that are full on every rank; after them places may be -1. */
  readonly fullBlocks: number;
  /**
   * The sample at `place` of a rank, or -1. Places run in the order of training: a block of `batchSize` for each worker in
   * turn.
   */
  at(node: number, rank: number, place: number): number;
}

/** What a partition is made from. `dropFirst` samples were seen already. */
export interface PartitionSettings {
  readonly samples: number;
  readonly canonicalNodes: number;
  readonly world: MosaicWorld;
  readonly batchSize: number;
  readonly dropFirst?: number;
  /** Nodes with which the run began; undefined in a run's first pass. */
  readonly initialNodes?: number | undefined;
}

/**
 * MosaicML's partition of an epoch, by its closed form.
 *
 * @throws SpiralError `invalid_world` where nodes and canonical nodes do not divide each other, or (relaxed) the global
 * batch is no multiple of the ranks with which the run began; `no_rows` where there are no samples, or too few for the
 * padding of so many nodes. A `dropFirst` at the end or beyond leaves nothing.
 */
export function partition(algo: PartitionAlgo, settings: PartitionSettings): Partition {
  const { canonicalNodes, world, batchSize, initialNodes } = settings;
  if (algo === 'orig' || initialNodes === undefined || divide(world.nodes, canonicalNodes)) return original(settings);
  const { nodes, ranksPerNode } = world;
  const global = nodes * ranksPerNode * batchSize;
  const initialRanks = initialNodes * ranksPerNode;
  if (global % initialRanks !== 0) {
    throw new SpiralError(
      'invalid_world',
      `Expected the global batch (${nodes} nodes of ${ranksPerNode} ranks with ${batchSize} samples each: ${global}) to be ` +
        `a multiple of the ${initialRanks} ranks with which the run began. Keep the global batch size on resume.`,
      { details: { globalBatchSize: global, initialNodes, ranksPerNode } },
    );
  }
  const initialBatch = global / initialRanks;
  const first = original({ ...settings, world: { ...world, nodes: initialNodes }, batchSize: initialBatch });
  return {
    rankLength: (first.rankLength / initialBatch) * batchSize,
    fullBlocks: first.fullBlocks,
    at: (node, rank, place) => {
      const block = Math.floor(place / batchSize);
      const inGlobal = (node * ranksPerNode + rank) * batchSize + (place % batchSize);
      const initialRank = Math.floor(inGlobal / initialBatch);
      return first.at(
        Math.floor(initialRank / ranksPerNode),
        initialRank % ranksPerNode,
        block * initialBatch + (inGlobal % initialBatch),
      );
    },
  };
}

const divide = (a: number, b: number): boolean => (a > b ? a % b : b % a) === 0;

function original(settings: PartitionSettings): Partition {
  const { samples, canonicalNodes, world, batchSize } = settings;
  const { nodes, ranksPerNode, workersPerRank } = world;
  checkOriginal(settings);
  const buckets = bucketIds(samples, canonicalNodes, nodes);
  const dropFirst = Math.floor((settings.dropFirst ?? 0) / nodes) * nodes;
  const nodeSamples = Math.max(0, buckets.positions - dropFirst) / nodes;
  const overflow = nodeSamples % ranksPerNode;
  const missing = overflow === 0 ? 0 : ranksPerNode - overflow;
  // A node's row that its ranks do not divide repeats what stands a little before its end, or, where it is short, itself.
  const back = ranksPerNode + missing - 1;
  const repeated = (extra: number): number => (back <= nodeSamples ? nodeSamples - back + extra : extra % nodeSamples);
  const rankSamples = (nodeSamples + missing) / ranksPerNode;
  const round = workersPerRank * batchSize;
  return {
    rankLength: Math.ceil(rankSamples / round) * round,
    fullBlocks: Math.floor(rankSamples / batchSize),
    at: (node, rank, place) => {
      if (place >= rankSamples) return -1;
      const own = place * ranksPerNode + rank;
      const inNode = own < nodeSamples ? own : repeated(own - nodeSamples);
      return buckets.idAt(dropFirst + inNode * nodes + node);
    },
  };
}

function checkOriginal({ samples, canonicalNodes, world }: PartitionSettings): void {
  if (samples === 0) throw new SpiralError('no_rows', 'Expected an epoch of at least 1 sample, got none.');
  if (!divide(world.nodes, canonicalNodes)) {
    throw new SpiralError(
      'invalid_world',
      `Expected the canonical nodes (${canonicalNodes}) and the nodes (${world.nodes}) to divide one another. Set ` +
        '`numCanonicalNodes` to a multiple of the nodes.',
      { details: { numCanonicalNodes: canonicalNodes, nodes: world.nodes } },
    );
  }
}

/** The global order: position g lies in bucket g mod C, at index g div C; buckets are padded to one length. */
function bucketIds(
  samples: number,
  canonicalNodes: number,
  nodes: number,
): { positions: number; idAt(position: number): number } {
  const length = Math.ceil(samples / canonicalNodes);
  const ratio = canonicalNodes < nodes ? nodes / canonicalNodes : 1;
  const padding = length % ratio === 0 ? 0 : ratio - (length % ratio);
  const padded = length + padding;
  const positions = canonicalNodes * padded;
  if (samples <= canonicalNodes) {
    // So few samples are repeated from the start, bucket after bucket.
    return {
      positions,
      idAt: (at) => ((at % canonicalNodes) * padded + Math.floor(at / canonicalNodes)) % samples,
    };
  }
  const source = paddingSource(padded, padding, ratio, { samples, nodes });
  return {
    positions,
    idAt: (at) => {
      const bucket = at % canonicalNodes;
      const index = Math.floor(at / canonicalNodes);
      const inBucket = index < length ? index : source(index);
      const start = Math.floor((bucket * samples) / canonicalNodes);
      const end = Math.floor(((bucket + 1) * samples) / canonicalNodes);
      // A bucket that is one short repeats its last.
      return start + Math.min(inBucket, end - start - 1);
    },
  };
}

/** Where in its bucket the padding at an index is copied from. */
function paddingSource(
  padded: number,
  padding: number,
  ratio: number,
  found: { samples: number; nodes: number },
): (index: number) => number {
  const shift = padding + ratio - 1;
  if (padded - padding >= shift) return (index) => index - shift;
  if (padded - shift === 1) return () => 0;
  throw new SpiralError(
    'no_rows',
    `Expected more samples for ${found.nodes} nodes, got ${found.samples}: a bucket of ${padded - padding} cannot be padded ` +
      `to ${padded} without repeating its padding. Use fewer nodes, or \`numCanonicalNodes\`: ${found.nodes}.`,
    { details: found },
  );
}
