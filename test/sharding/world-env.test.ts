import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { World } from '../../src/sharding/world.js';
import { lawRuns } from '../laws.js';

const config = (type: string, index: number): string =>
  JSON.stringify({
    cluster: { chief: ['a:1'], worker: ['b:1', 'c:1', 'd:1'], ps: ['e:1'], evaluator: ['f:1'] },
    task: { type, index },
  });

describe('the world of the environment', () => {
  test.each<[Record<string, string>, number, number, string]>([
    [{ RANK: '3', WORLD_SIZE: '8', LOCAL_RANK: '1' }, 3, 8, 'torchrun (RANK, WORLD_SIZE)'],
    [{ SLURM_PROCID: '2', SLURM_NTASKS: '4' }, 2, 4, 'SLURM (SLURM_PROCID, SLURM_NTASKS)'],
    [
      { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '2' },
      0,
      2,
      'Open MPI (OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE)',
    ],
    [{ PMI_RANK: '1', PMI_SIZE: '2' }, 1, 2, 'PMI (PMI_RANK, PMI_SIZE)'],
    [{ JOB_COMPLETION_INDEX: '4', WORLD_SIZE: '5' }, 4, 5, 'Kubernetes (JOB_COMPLETION_INDEX, WORLD_SIZE)'],
    [{ TF_CONFIG: config('chief', 0) }, 0, 4, 'TF_CONFIG'],
    [{ TF_CONFIG: config('worker', 0) }, 1, 4, 'TF_CONFIG'],
    [{ TF_CONFIG: config('worker', 2) }, 3, 4, 'TF_CONFIG'],
    [{ TF_CONFIG: '{"cluster":{"master":["a"],"worker":["b"]},"task":{"type":"worker"}}' }, 1, 2, 'TF_CONFIG'],
  ])('%j is rank %i of %i', (env, rank, worldSize, source) => {
    expect(World.fromEnv(env)).toEqual(new World({ rank, worldSize, source }));
  });

  test('is 0 of 1 where nothing is set, or set to nothing', () => {
    for (const env of [{}, { RANK: '', WORLD_SIZE: ' ' }, { TF_CONFIG: '{}' }, { LOCAL_RANK: '1' }]) {
      expect(World.fromEnv(env)).toEqual(new World({ rank: 0, worldSize: 1 }));
    }
  });

  test('of nested launchers is that of the nearest', () => {
    const slurm = { SLURM_PROCID: '0', SLURM_NTASKS: '2' };
    expect(World.fromEnv({ ...slurm, RANK: '5', WORLD_SIZE: '8' })).toMatchObject({ rank: 5, worldSize: 8 });
    expect(World.fromEnv({ ...slurm, PMI_RANK: '1', PMI_SIZE: '2' }).source).toMatch(/^PMI/);
    expect(World.fromEnv({ JOB_COMPLETION_INDEX: '1', RANK: '5', WORLD_SIZE: '8' }).rank).toBe(5);
    expect(World.fromEnv({ SLURM_NTASKS: '4', OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '2' }).rank).toBe(1);
    expect(World.fromEnv({ TF_CONFIG: config('worker', 0), RANK: '1', WORLD_SIZE: '4' }).source).toMatch(/torchrun/);
  });

  test.each<[Record<string, string>, RegExp]>([
    [{ RANK: '1' }, /WORLD_SIZE beside RANK/],
    [{ WORLD_SIZE: '4' }, /RANK \(torchrun\) or JOB_COMPLETION_INDEX \(Kubernetes\) beside WORLD_SIZE/],
    [{ JOB_COMPLETION_INDEX: '1' }, /WORLD_SIZE beside JOB_COMPLETION_INDEX.*\.spec\.completions/],
    [{ SLURM_PROCID: '1' }, /SLURM_NTASKS beside SLURM_PROCID/],
    [{ SLURM_NTASKS: '1' }, /SLURM_PROCID beside SLURM_NTASKS.*srun/],
    [{ OMPI_COMM_WORLD_RANK: '1' }, /OMPI_COMM_WORLD_SIZE beside OMPI_COMM_WORLD_RANK/],
    [{ PMI_SIZE: '1' }, /PMI_RANK beside PMI_SIZE/],
    [{ RANK: 'one', WORLD_SIZE: '4' }, /RANK to be a whole number, got "one"/],
    [{ RANK: '-1', WORLD_SIZE: '4' }, /RANK to be a whole number/],
    [{ RANK: '4', WORLD_SIZE: '4' }, /RANK to be below WORLD_SIZE, which is 4, got 4/],
    [{ RANK: '0', WORLD_SIZE: '0' }, /RANK to be below WORLD_SIZE/],
    [{ TF_CONFIG: config('worker', 0), RANK: '0', WORLD_SIZE: '4' }, /agree with TF_CONFIG.*0 of 4.*1 of 4/],
    [{ TF_CONFIG: config('ps', 0) }, /'ps', which reads no training data/],
    [{ TF_CONFIG: config('evaluator', 0) }, /'evaluator'/],
    [{ TF_CONFIG: config('worker', 3) }, /none of the cluster/],
    [{ TF_CONFIG: config('cook', 0) }, /none of the cluster/],
    [{ TF_CONFIG: '{"cluster":{"worker":["a"]}}' }, /no `task`/],
    [{ TF_CONFIG: '{"task":{"type":"worker","index":0}}' }, /no `cluster`/],
    [{ TF_CONFIG: 'worker 0' }, /TF_CONFIG to be JSON/],
    [{ TF_CONFIG: '[1]' }, /TF_CONFIG to be JSON/],
  ])('%j is refused', (env, message) => {
    expect(() => World.fromEnv(env)).toThrowError(
      expect.objectContaining({ code: 'invalid_world', message: expect.stringMatching(message) }),
    );
  });

  test('is a world or refused, whatever the variables hold', () => {
    const names = ['RANK', 'WORLD_SIZE', 'TF_CONFIG', 'SLURM_PROCID', 'SLURM_NTASKS', 'PMI_RANK', 'PMI_SIZE'];
    const arbText = fc.oneof(
      fc.constantFrom('0', '1', '2', '', '{}', 'null', config('worker', 1)),
      fc.json(),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), arbText), (env) => {
        try {
          const { rank, worldSize } = World.fromEnv(env);
          expect(rank).toBeLessThan(worldSize);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_world' });
        }
      }),
      { numRuns: lawRuns(100, 10_000) },
    );
  });
});
