/** What the effects of expressions may reach, and where. Set by who reads, never by an expression or a scan's state. */
export interface EffectAccess {
  /** Whether `http.get` may connect to private, loopback and link-local addresses. */
  readonly privateAddresses: boolean;
  /** The folders below which `file.get` may read, as absolute paths. */
  readonly folders: readonly string[];
  /** The places below which `s3.get` may read, as URIs `s3://bucket/folder`; `s3://` is all that the credentials reach. */
  readonly s3Folders: readonly string[];
  /** Threads for the functions of `udf`; 0: they run in the thread that reads. */
  readonly udfWorkers: number;
}

/** What effects may reach where nothing is said: public addresses. */
export const publicOnly: EffectAccess = { privateAddresses: false, folders: [], s3Folders: [], udfWorkers: 0 };
