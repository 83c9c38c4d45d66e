import type { MergeConflict, MergeResult } from './merge.js';

/** What went wrong, as far as a program would act differently: docs/errors.md of the repository tells each. */
export type ErrorCode =
  | 'DOSQL_SQL'
  | 'DOSQL_CONSTRAINT'
  | 'DOSQL_BUSY'
  | 'DOSQL_BUSY_SNAPSHOT'
  | 'DOSQL_LOCKED'
  | 'DOSQL_READ_ONLY'
  | 'DOSQL_IO'
  | 'DOSQL_DISK_FULL'
  | 'DOSQL_OUTCOME_UNKNOWN'
  | 'DOSQL_POISONED'
  | 'DOSQL_CORRUPT'
  | 'DOSQL_NOT_A_DATABASE'
  | 'DOSQL_FORMAT_TOO_NEW'
  | 'DOSQL_NOT_FOUND'
  | 'DOSQL_ALREADY_EXISTS'
  | 'DOSQL_VERSION_NOT_FOUND'
  | 'DOSQL_HISTORY_EXPIRED'
  | 'DOSQL_BRANCH_NOT_FOUND'
  | 'DOSQL_BRANCH_NOT_MERGED'
  | 'DOSQL_MERGE_CONFLICT'
  | 'DOSQL_INVALID_ARGUMENT'
  | 'DOSQL_FORBIDDEN'
  | 'DOSQL_INTERRUPTED'
  | 'DOSQL_OUT_OF_MEMORY'
  | 'DOSQL_INTERNAL';

/** What is known of a failure beside its message. */
export interface ErrorDetails {
  /** What could be done instead. */
  hint?: string;
  /** The SQL that failed. */
  sql?: string;
  /** Where in `sql`, counted as JavaScript counts. */
  offset?: number;
  /** SQLite's extended result code, where the failure came through SQLite. */
  sqliteCode?: number;
  /** The same call may succeed a little later. */
  retryable?: boolean;
  cause?: unknown;
}

/** Every failure of DoSQL. */
export class DoSQLError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly sql: string | undefined;
  readonly offset: number | undefined;
  readonly sqliteCode: number | undefined;
  /** The same call may succeed a little later, with nothing else changed. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = 'DoSQLError';
    this.code = code;
    this.hint = details.hint;
    this.sql = details.sql;
    this.offset = details.offset;
    this.sqliteCode = details.sqliteCode;
    this.retryable = details.retryable ?? false;
  }
}

/** What went wrong with a feed of changes or a slot. */
export class CDCError extends DoSQLError {
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
    this.name = 'CDCError';
  }
}

/** The same, where a later try may do better: the slot is in use, the disk failed or is full, the database was closed. */
export class CDCConnectionError extends CDCError {
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(code, message, details);
    this.name = 'CDCConnectionError';
  }
}

/** @internal A failure of the engine as one of CDC. */
export function cdcFailure(error: unknown): unknown {
  if (!(error instanceof DoSQLError) || error instanceof CDCError) return error;
  const { code, message, hint, retryable } = error;
  const details: ErrorDetails = { cause: error, retryable, ...(hint === undefined ? {} : { hint }) };
  // Interrupted: the database was closed.
  const mayPass = retryable || code === 'DOSQL_INTERRUPTED';
  return new (mayPass ? CDCConnectionError : CDCError)(code, message, details);
}

/** A merge was to be completed, and conflicts are left that nothing was decided about: nothing was changed. */
export class MergeConflictError extends DoSQLError {
  /** They wait, as listConflicts() has them. */
  readonly conflicts: readonly MergeConflict[];

  constructor(conflicts: readonly MergeConflict[], action: MergeResult['action'] = 'merge') {
    const { kind, table, key } = conflicts[0]!;
    const count = conflicts.length === 1 ? 'a conflict is undecided:' : `${conflicts.length} conflicts are undecided, the first is`;
    const done = { merge: 'merged', revert: 'reverted', pick: 'picked' }[action];
    super('DOSQL_MERGE_CONFLICT', `nothing was ${done}: ${count} ${kind} in ${table}, key ${key}`, {
      hint: 'resolveConflict() decides about each, abortMerge() forgets the merge',
    });
    this.name = 'MergeConflictError';
    this.conflicts = conflicts;
  }
}

/** A migration that cannot be run, or that did not run as its file says now. */
export class MigrationError extends DoSQLError {
  /** The file's name in the folder of migrations. */
  readonly file: string;

  constructor(file: string, code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(code, `migration ${file}: ${message}`, details);
    this.name = 'MigrationError';
    this.file = file;
  }
}
