import type { ErrorKind } from './errors.js';

/** The stable name of an error. A code is a promise: it may be added, never renamed. `docs/errors.md` explains each. */
export type ErrorCode =
  | 'invalid_argument'
  | 'invalid_size'
  | 'invalid_identifier'
  | 'invalid_schema'
  | 'invalid_rows'
  | 'invalid_key'
  | 'duplicate_key'
  | 'type_mismatch'
  | 'value_out_of_range'
  | 'invalid_world'
  | 'no_rows'
  | 'batch_too_large'
  | 'invalid_state'
  | 'invalid_shards'
  | 'invalid_expression'
  | 'invalid_config'
  | 'invalid_tensor'
  | 'invalid_transform'
  | 'transform_failed'
  | 'not_found'
  | 'unknown_project'
  | 'unknown_table'
  | 'unknown_column'
  | 'unknown_index'
  | 'index_not_synced'
  | 'version_not_found'
  | 'version_vacuumed'
  | 'missing_peer'
  | 'already_exists'
  | 'write_conflict'
  | 'state_mismatch'
  | 'file_changed'
  | 'already_iterating'
  | 'closed'
  | 'corrupt_file'
  | 'corrupt_log'
  | 'unavailable'
  | 'feeder_died'
  | 'worker_died'
  | 'permission_denied'
  | 'path_outside_root'
  | 'unsupported'
  | 'unsupported_type'
  | 'state_version'
  | 'cancelled'
  | 'limit_exceeded'
  | 'transform_timeout'
  | 'too_many_row_errors'
  | 'storage_full'
  | 'internal';

const kinds: Record<ErrorCode, ErrorKind> = {
  invalid_argument: 'invalid_argument',
  invalid_size: 'invalid_argument',
  invalid_identifier: 'invalid_argument',
  invalid_schema: 'invalid_argument',
  invalid_rows: 'invalid_argument',
  invalid_key: 'invalid_argument',
  duplicate_key: 'invalid_argument',
  type_mismatch: 'invalid_argument',
  value_out_of_range: 'invalid_argument',
  invalid_world: 'invalid_argument',
  no_rows: 'invalid_argument',
  batch_too_large: 'invalid_argument',
  invalid_state: 'invalid_argument',
  invalid_shards: 'invalid_argument',
  invalid_expression: 'invalid_argument',
  invalid_config: 'invalid_argument',
  invalid_tensor: 'invalid_argument',
  invalid_transform: 'invalid_argument',
  transform_failed: 'invalid_argument',
  not_found: 'not_found',
  unknown_project: 'not_found',
  unknown_table: 'not_found',
  unknown_column: 'not_found',
  unknown_index: 'not_found',
  index_not_synced: 'not_found',
  version_not_found: 'not_found',
  version_vacuumed: 'not_found',
  missing_peer: 'not_found',
  already_exists: 'conflict',
  write_conflict: 'conflict',
  state_mismatch: 'conflict',
  file_changed: 'conflict',
  already_iterating: 'conflict',
  closed: 'conflict',
  corrupt_file: 'corrupt',
  corrupt_log: 'corrupt',
  unavailable: 'unavailable',
  feeder_died: 'unavailable',
  worker_died: 'unavailable',
  permission_denied: 'denied',
  path_outside_root: 'denied',
  unsupported: 'unsupported',
  unsupported_type: 'unsupported',
  state_version: 'unsupported',
  cancelled: 'cancelled',
  limit_exceeded: 'limit',
  transform_timeout: 'limit',
  too_many_row_errors: 'limit',
  storage_full: 'limit',
  internal: 'internal',
};

/** The kind that `code` belongs to. */
export function kindOf(code: ErrorCode): ErrorKind {
  return kinds[code];
}
