/** What the effects of expressions may reach, and where. Set by who reads, never by an expression or a scan's state. */
export interface EffectAccess {
  /** Whether `http.get` may connect to private, loopback and link-local addresses. */
  readonly privateAddresses: boolean;
  /** The folders below which `file.get` may read, as absolute paths. */
  readonly folders: readonly string[];
  /** Threads for the functions of `udf`; 0: they run in the thread that reads. */
  readonly udfWorkers: number;
}

/** What effects may reach where nothing is said: public addresses. */
export const publicOnly: EffectAccess = { privateAddresses: false, folders: [], udfWorkers: 0 };
