import { hostname, userInfo } from 'node:os';

/** The user and host that this process runs as, `user@host`; the host alone where the system knows no user. */
export function processOwner(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    // A container may run as a number that has no name.
    return hostname();
  }
}
