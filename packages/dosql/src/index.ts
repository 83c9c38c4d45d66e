/**
 * DoSQL: a SQL database in which every committed transaction is a version.
 *
 * @packageDocumentation
 */
export {
  type BranchComparison,
  type BranchInfo,
  type BranchOptions,
  Database,
  type DatabaseOptions,
  DB,
  type SnapshotInfo,
  type VersionId,
} from './database.js';
export { DoSQLError, type ErrorCode, type ErrorDetails, MergeConflictError, MigrationError } from './errors.js';
export type {
  ConflictKind,
  ConflictResolution,
  MergeConflict,
  MergeOptions,
  MergeResult,
  MergeStrategy,
  PickOptions,
  TableMergeCounts,
} from './merge.js';
export type { MigrationOptions } from './migrations.js';
export type { Row } from './rows.js';
export { Scope, Transaction } from './scope.js';
export { Statement } from './statement.js';
export { branch, lsn, relative, snapshot, type TimePoint, timestamp } from './time_point.js';
export type { CallOptions, Parameters, RunResult, Value } from './values.js';
