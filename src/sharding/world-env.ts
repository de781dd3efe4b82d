import { SpiralError, shown } from '../core/errors.js';

/** Environment variables, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A world as a launcher describes it, and the variables that say so. */
export interface FoundWorld {
  readonly rank: number;
  readonly worldSize: number;
  readonly source: string;
}

/** A launcher that tells each process its rank and the world's size in two variables. */
interface Launcher {
  readonly name: string;
  readonly rank: string;
  readonly size: string;
  /** Why the size may be missing, and what to do. */
  readonly hint: string;
}

/**
 * By how near they stand to the process: torchrun in a task of SLURM, say, knows of more ranks than SLURM, whose variables
 * it leaves in place.
 */
const launchers: readonly Launcher[] = [
  { name: 'Open MPI', rank: 'OMPI_COMM_WORLD_RANK', size: 'OMPI_COMM_WORLD_SIZE', hint: 'Start it with mpirun.' },
  { name: 'PMI', rank: 'PMI_RANK', size: 'PMI_SIZE', hint: 'Start it with mpiexec.' },
  {
    name: 'SLURM',
    rank: 'SLURM_PROCID',
    size: 'SLURM_NTASKS',
    hint: 'Start each rank with srun; in a shell of salloc, unset the variable to train alone.',
  },
  // Kubernetes gives a pod its index but not the number of them (kubernetes/kubernetes#106009).
  {
    name: 'Kubernetes',
    rank: 'JOB_COMPLETION_INDEX',
    size: 'WORLD_SIZE',
    hint: "Kubernetes does not tell how many pods an indexed Job has: set WORLD_SIZE in the pod's env to `.spec.completions`.",
  },
];

/**
 * The world that the launcher of this process describes in `env`; of several the nearest. Undefined where none does.
 *
 * @throws SpiralError `invalid_world`, naming the variables, where one of two is missing, one is no number, a rank is not
 * below its size, or `TF_CONFIG` and torchrun's variables contradict each other.
 */
export function worldFromEnv(env: Environment): FoundWorld | undefined {
  const torch = torchWorld(env);
  const tensorflow = tensorflowWorld(env);
  if (torch !== undefined && tensorflow !== undefined) {
    if (torch.rank !== tensorflow.rank || torch.worldSize !== tensorflow.worldSize) {
      throw refused(
        `RANK and WORLD_SIZE to agree with TF_CONFIG, got rank ${torch.rank} of ${torch.worldSize} from the one and ` +
          `${tensorflow.rank} of ${tensorflow.worldSize} from the other. Unset one of them, or pass \`world\``,
        ['RANK', 'WORLD_SIZE', 'TF_CONFIG'],
      );
    }
  }
  if (torch !== undefined || tensorflow !== undefined) return torch ?? tensorflow;
  const half: Launcher[] = [];
  for (const launcher of launchers) {
    const [rank, size] = [textOf(env, launcher.rank), textOf(env, launcher.size)];
    if (rank !== undefined && size !== undefined)
      return numbered(launcher.name, launcher.rank, rank, launcher.size, size);
    if (rank !== undefined || size !== undefined) half.push(launcher);
  }
  const [first] = half;
  if (first === undefined) return undefined;
  const [set, missing] = textOf(env, first.rank) === undefined ? [first.size, first.rank] : [first.rank, first.size];
  // WORLD_SIZE alone may be meant for torchrun as for a Job.
  const wanted = missing === 'JOB_COMPLETION_INDEX' ? 'RANK (torchrun) or JOB_COMPLETION_INDEX (Kubernetes)' : missing;
  throw refused(`${wanted} beside ${set}, which is set, got none. ${first.hint} Or pass \`world\``, [set, missing]);
}

/** torchrun and all that keep to its names; `RANK` alone is half of it. */
function torchWorld(env: Environment): FoundWorld | undefined {
  const [rank, size] = [textOf(env, 'RANK'), textOf(env, 'WORLD_SIZE')];
  if (rank === undefined) return undefined;
  if (size === undefined)
    throw refused('WORLD_SIZE beside RANK, which is set, got none. Set both', ['RANK', 'WORLD_SIZE']);
  return numbered('torchrun', 'RANK', rank, 'WORLD_SIZE', size);
}

/** Ranks go to the chief (or master), then to the workers; `ps` and `evaluator` read no training data. */
function tensorflowWorld(env: Environment): FoundWorld | undefined {
  const text = textOf(env, 'TF_CONFIG');
  if (text === undefined) return undefined;
  const { cluster, task } = parsedConfig(text);
  if (cluster === undefined && task === undefined) return undefined;
  const wanted = 'TF_CONFIG to be { "cluster": { "chief": […], "worker": […] }, "task": { "type": …, "index": … } }';
  if (cluster === undefined || task === undefined) {
    throw refused(`${wanted}, got no \`${cluster === undefined ? 'cluster' : 'task'}\``, ['TF_CONFIG']);
  }
  const { type } = task;
  const index = task.index ?? 0;
  if (type === 'ps' || type === 'evaluator') {
    throw refused(
      `TF_CONFIG of a chief or worker, got task type '${type}', which reads no training data. Make no distributed loader ` +
        'there, or pass `world`',
      ['TF_CONFIG'],
    );
  }
  const members = ['chief', 'master', 'worker'].map((role) => ({ role, count: hostsOf(cluster[role]) }));
  const own = members.findIndex(({ role }) => role === type);
  if (own < 0 || !Number.isSafeInteger(index) || index < 0 || index >= members[own]!.count) {
    throw refused(`${wanted}, got task ${shown(type)} ${shown(index)}, which is none of the cluster`, ['TF_CONFIG']);
  }
  const counts = members.map(({ count }) => count);
  const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
  return { rank: sum(counts.slice(0, own)) + index, worldSize: sum(counts), source: 'TF_CONFIG' };
}

interface TensorflowConfig {
  readonly cluster?: Readonly<Record<string, unknown>>;
  readonly task?: { readonly type?: unknown; readonly index?: number };
}

function parsedConfig(text: string): TensorflowConfig {
  try {
    const parsed: unknown = JSON.parse(text);
    const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null && !Array.isArray(value);
    const config = parsed as TensorflowConfig;
    if (isObject(parsed) && [config.cluster ?? {}, config.task ?? {}].every(isObject)) return config;
  } catch {
    // Said below, with the text.
  }
  throw refused(`TF_CONFIG to be JSON, an object with \`cluster\` and \`task\`, got ${shown(text)}`, ['TF_CONFIG']);
}

/** Hosts of a role: a list, or an object by index where some are left out. */
function hostsOf(hosts: unknown): number {
  if (Array.isArray(hosts)) return hosts.length;
  return typeof hosts === 'object' && hosts !== null ? Object.keys(hosts).length : 0;
}

function numbered(name: string, rankName: string, rankText: string, sizeName: string, sizeText: string): FoundWorld {
  const [rank, worldSize] = [numeral(rankName, rankText), numeral(sizeName, sizeText)];
  if (rank < worldSize) return { rank, worldSize, source: `${name} (${rankName}, ${sizeName})` };
  throw refused(`${rankName} to be below ${sizeName}, which is ${worldSize}, got ${rank}`, [rankName, sizeName]);
}

function numeral(name: string, text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw refused(`the environment variable ${name} to be a whole number, got ${shown(text)}`, [name]);
}

/** A variable's value; one that is empty counts as not set. */
function textOf(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === '' ? undefined : text;
}

function refused(expected: string, variables: readonly string[]): SpiralError {
  return new SpiralError('invalid_world', `Expected ${expected}.`, { details: { variables } });
}
