import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A web server of this process, on one address, that counts what it is asked for. */
export interface WebServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly asked: string[];
  /** Requests that were answered at once, at most. */
  readonly together: () => number;
}

/** A server of `pages`, by path; 404 for others. */
export async function webServer(pages: Readonly<Record<string, Handler>>, address = '127.0.0.1'): Promise<WebServer> {
  const asked: string[] = [];
  let [now, most] = [0, 0];
  const server = createServer((request, response) => {
    const path = request.url!.split('?')[0]!;
    asked.push(request.url!);
    most = Math.max(most, ++now);
    response.on('close', () => now--);
    const page = pages[path];
    if (page === undefined) response.writeHead(404).end('nothing here');
    else page(request, response);
  });
  await new Promise<void>((listening) => server.listen(0, address, listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${address}:${port}`,
    port,
    asked,
    together: () => most,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
