/** What the effects of expressions may reach. Set by the client that reads, never by an expression or a scan's state. */
export interface EffectAccess {
  /** Whether `http.get` may connect to private, loopback and link-local addresses. */
  readonly privateAddresses: boolean;
  /** The folders below which `file.get` may read, as absolute paths. */
  readonly folders: readonly string[];
}

/** What effects may reach where nothing is said: public addresses. */
export const publicOnly: EffectAccess = { privateAddresses: false, folders: [] };
