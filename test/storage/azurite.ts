import { spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { BlobServiceClient } from '@azure/storage-blob';
import { uniqueId } from '../../src/core/random.js';

/** The folder that `scripts/azurite.sh install` filled; undefined: tests of Azure's emulator are skipped. */
export const azuriteFolder: string | undefined = process.env['SPIRAL_TEST_AZURITE'];

/** Stands in the names of tests that need it. */
export const onAzurite: string =
  azuriteFolder === undefined ? 'on Azurite (skipped: SPIRAL_TEST_AZURITE names no folder)' : 'on Azurite';

/** Microsoft's emulator, started by this process on a port that was free. */
export interface Azurite extends AsyncDisposable {
  readonly port: number;
  readonly account: string;
  readonly key: string;
  /** The URI of a folder in a container that nobody else has. */
  folder(): Promise<string>;
}

/** Starts the emulator over memory, with an account of its own, and has this process find it. */
export async function azurite(): Promise<Azurite> {
  const port = await freePort();
  const [account, key] = ['testaccount', Buffer.from(uniqueId(uniqueId(''))).toString('base64')];
  const script = join(azuriteFolder!, 'node_modules/azurite/dist/src/blob/main.js');
  // The library speaks a newer version than the last emulator for Node 20 knows; what is used here is the same in both.
  const flags = ['--inMemoryPersistence', '--disableTelemetry', '--silent', '--skipApiVersionCheck'];
  const child = spawn(process.execPath, [script, '--blobPort', `${port}`, ...flags], {
    env: { ...process.env, AZURITE_ACCOUNTS: `${account}:${key}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((listening, failed) => {
    let said = '';
    child.stdout.on('data', (text: Buffer) => {
      said += text;
      if (said.includes('successfully listens')) listening();
    });
    child.on('exit', () => failed(new Error(`Azurite ended: ${said}`)));
  });
  useAzure(port, account, key);
  const container = uniqueId('test-');
  await BlobServiceClient.fromConnectionString(connectionString(port, account, key)).createContainer(container);
  return {
    port,
    account,
    key,
    folder: async () => `az://${container}/${uniqueId('')}`,
    [Symbol.asyncDispose]: async () => {
      forgetAzure();
      const ended = new Promise((resolve) => child.on('exit', resolve));
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Has this process take the server at `port` for Azure's. */
export function useAzure(port: number, account = 'testaccount', key = 'a2V5'): void {
  process.env['AZURE_STORAGE_CONNECTION_STRING'] = connectionString(port, account, key);
}

/** Has this process find no account. */
export function forgetAzure(): void {
  for (const name of Object.keys(process.env)) if (name.startsWith('AZURE_STORAGE_')) delete process.env[name];
}

function connectionString(port: number, account: string, key: string): string {
  const endpoint = `BlobEndpoint=http://127.0.0.1:${port}/${account}`;
  return `DefaultEndpointsProtocol=http;AccountName=${account};AccountKey=${key};${endpoint};`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
