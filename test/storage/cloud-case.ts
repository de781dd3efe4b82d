import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Retrier } from '../../src/storage/retrier.js';
import type { ObjectStore } from '../../src/storage/store.js';

/** Answers a request. */
export type Answering = (to: ServerResponse, method: string) => void;

/** A server with a bucket, that tests may fill. */
export interface CloudPlace extends AsyncDisposable {
  readonly url: string;
  /** The URI of a folder of the bucket that nobody else has. */
  folder(): Promise<string>;
  /** Puts an empty object there as other tools do, whatever its key. */
  leave(key: string, folder: string): Promise<void>;
}

/** What the tests that all clouds have in common want to know of one. */
export interface CloudCase {
  readonly scheme: 's3' | 'gs' | 'az';
  readonly store: (uri: string, retrier: Retrier) => ObjectStore;
  /** What buckets are called. */
  readonly bucketWord: string;
  readonly install: string;
  /** Statuses of errors with their names, and what they are here. */
  readonly refusals: readonly (readonly [status: number, name: string, code: string])[];
  /** The answer that is an error of that name. */
  refusing(status: number, name: string, headers?: Readonly<Record<string, string>>): Answering;
  /** Whether errors have their names in answers to HEAD too. */
  readonly headNames: boolean;
  /** The answer to a put that went well. */
  readonly accepting: Answering;
  /** Status and name of what is not there, of a conflict that says nothing of whether it is, and of one that does. */
  readonly missing: readonly [number, string];
  readonly busy: readonly [number, string];
  readonly there: readonly [number, string];
  /** Has this process take the server at `url` for the cloud's; with credentials that are wrong, if it is said so. */
  use(url: string, wrong?: 'wrong'): void;
  /** Ways to have credentials, each with what must never be shown. */
  readonly credentials: readonly ((url: string) => void)[];
  readonly secret: RegExp;
  /** Names that such a store takes, beside those that all do. */
  readonly names: readonly string[];
  /** Says why the tests that want a place are skipped; undefined where they are not. */
  readonly skipped: string | undefined;
  place(): Promise<CloudPlace>;
}

/** A server that gives `answer` to every request, which this process takes for that of `cloud`. */
export async function answering(cloud: CloudCase, answer: Answering): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => answer(response, request.method!));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  cloud.use(url);
  return {
    url,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
