import { connect, createServer, type Socket } from 'node:net';
import type { RandomStream } from '../../src/core/random.js';

/** A line to a server that breaks connections: requests that do not arrive, answers that are lost or cut short. */
export interface BadLine extends AsyncDisposable {
  readonly url: string;
  /** Connections that it broke so far. */
  readonly broken: () => number;
}

/** A line to `url` that breaks every `1 / share`th request or answer, by `random`, at its beginning or further on. */
export async function badLine(url: string, random: RandomStream, share: number): Promise<BadLine> {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  let broken = 0;
  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    const ends = [near, far] as const;
    let speaks: Socket | undefined;
    /** Pieces until it breaks. */
    let left = Number.POSITIVE_INFINITY;
    const end = (): void => {
      for (const socket of ends) {
        open.delete(socket);
        socket.destroy();
      }
    };
    for (const [from, to] of [ends, [far, near] as const]) {
      open.add(from);
      from.on('data', (piece) => {
        if (from !== speaks && random.unit() < share) left = Math.min(left, random.below(3));
        speaks = from;
        if (left-- > 0) return void to.write(piece);
        broken++;
        // Half of what came goes through, which of a small request is no request.
        to.write(piece.subarray(0, piece.length >> 1), end);
      });
      from.on('error', end);
      from.on('close', end);
    }
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    broken: () => broken,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}
