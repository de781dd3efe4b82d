import { SpiralError } from '../core/errors.js';
import { importPeer, isNotFound, resolvePeer } from '../core/peer.js';

/** What is used of `@google-cloud/storage`. */
interface Sdk {
  readonly Storage: new (options: object) => GsStorage;
}
interface GsStorage {
  /** Where the service is. */
  readonly apiEndpoint: string;
  /** Whether that is none of Google's. */
  readonly customEndpoint: boolean;
  readonly authClient: { getRequestHeaders(url: string): Promise<Headers | Readonly<Record<string, string>>> };
}

/** The service, and who asks it. */
export interface GsService {
  /** An origin, without a '/' at its end. */
  readonly endpoint: string;
  /** What is sent with each request to it, the token in `authorization`. */
  headers(): Promise<Readonly<Record<string, string>>>;
}

const sdkPackage = '@google-cloud/storage';
/** The settings that tell one client from another; a thread has one for each. */
const variables = ['STORAGE_EMULATOR_HOST', 'GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_CLOUD_UNIVERSE_DOMAIN'];
const services = new Map<string, Promise<GsService>>();

/** The service that the environment names, made on first use. @throws SpiralError `missing_peer`, `invalid_argument`. */
export function gsService(): Promise<GsService> {
  const key = JSON.stringify(variables.map((name) => process.env[name]));
  let service = services.get(key);
  if (service === undefined) {
    service = makeService();
    services.set(key, service);
    service.catch(() => services.delete(key));
  }
  return service;
}

async function makeService(): Promise<GsService> {
  const { Storage } = await loadSdk();
  const storage = new Storage({});
  const { apiEndpoint, customEndpoint, authClient } = storage;
  if (!URL.canParse(apiEndpoint)) {
    throw new SpiralError('invalid_argument', 'Expected STORAGE_EMULATOR_HOST to be http://host:port, got no URL.', {
      details: { variable: 'STORAGE_EMULATOR_HOST' },
    });
  }
  const endpoint = new URL(apiEndpoint).origin;
  const headers = async (): Promise<Readonly<Record<string, string>>> => {
    const given = await authClient.getRequestHeaders(endpoint);
    return Object.fromEntries(
      given instanceof Headers ? given : Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]),
    );
  };
  // As the library does: other endpoints are emulators, which nobody shows a token.
  return { endpoint, headers: customEndpoint ? async () => ({}) : headers };
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await importPeer<Sdk>(sdkPackage);
  } catch (cause) {
    if (!isNotFound(cause) || resolvePeer(sdkPackage) !== undefined) throw cause;
    throw new SpiralError(
      'missing_peer',
      `Expected the package ${sdkPackage} for gs:// URIs, found none. Run \`npm install ${sdkPackage}\`.`,
      { details: { package: sdkPackage }, cause },
    );
  }
}
