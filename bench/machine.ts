import { cpus, release, totalmem } from 'node:os';

/** The machine that numbers belong to, in one line. */
export function machine(): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const system = `${process.platform} ${process.arch} ${release()}`;
  return `${cpus().length} × ${cpu?.model.trim() ?? 'unknown processor'}, ${memory} GiB, ${system}, Node ${process.versions.node}`;
}
