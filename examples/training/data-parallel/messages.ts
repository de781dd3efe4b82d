import type { LoaderState } from 'spiral-loader';

/** A model's weights, tensor by tensor. */
export type Weights = readonly Float32Array[];

/** What a rank is told before its first step. */
export interface StartMessage {
  readonly dir: string;
  readonly table: string;
  readonly epochs: number;
  /** The epoch that is under way, though single ranks may have ended it. */
  readonly epoch: number;
  readonly batchSize: number;
  readonly hidden: number;
  readonly seed: number;
  readonly weights: Weights;
  /** Of all ranks of the world that stopped; none at the very start. */
  readonly states: readonly LoaderState[] | undefined;
}

/** What a rank says after each step. */
export interface StepReport {
  readonly kind: 'step';
  /** Where its loader stands: right behind the step's batch. */
  readonly state: LoaderState;
  readonly weights: Weights;
  readonly loss: number;
  readonly ids: BigInt64Array;
}

/** What it says besides at the end of each epoch, which for some ranks comes a step sooner. */
export type RankReport = StepReport | { readonly kind: 'epoch'; readonly state: LoaderState };

/** The mean of what several ranks made of the same weights, by the rows each learnt from. */
export function averaged(parts: readonly { readonly weights: Weights; readonly rows: number }[]): Float32Array[] {
  const rows = parts.reduce((sum, part) => sum + part.rows, 0);
  return parts[0]!.weights.map((first, at) => {
    const mean = new Float32Array(first.length);
    for (const part of parts) {
      const share = part.rows / rows;
      const own = part.weights[at]!;
      for (let index = 0; index < mean.length; index++) mean[index]! += share * own[index]!;
    }
    return mean;
  });
}
