// The addon's functions, and the memory through which rows come from it (bindings/node/rows.h).

import { createRequire } from 'node:module';
import { DoSQLError, type ErrorCode, type ErrorDetails } from './errors.js';

type Handle = number;
type Task = number;
type StatementNumber = number;
type Feed = number;
/** The kind of a time point and its value; both undefined: none. */
export type NativePickOptions = [strategy: string, dryRun: boolean, message: string];
export type NativePoint = [kind: string | undefined, value: string | bigint | number | undefined];

export const Wanted = { rows: 0, firstRow: 1, runResult: 2 } as const;
export type Wanted = (typeof Wanted)[keyof typeof Wanted];

/** Where a feed comes from; checked by the addon. */
export type NativeFeedPlace = [
  slot: string | undefined,
  branch: string | undefined,
  lsn: bigint | number | undefined,
  snapshot: boolean | undefined,
];
/** The same, with what comes of it. */
export type NativeFeedSource = [
  ...place: NativeFeedPlace,
  tables: unknown,
  operations: unknown,
  transactions: boolean | undefined,
  schema: boolean | undefined,
];

interface Native {
  setUp(memory: ArrayBuffer, extras: unknown[], makeError: unknown, settle: () => void): void;
  takeOutcome(): boolean;
  takeMore(task: Task): boolean;
  shapeColumns(shape: number): string[] | undefined;

  makeHandle(): Handle;
  open(handle: Handle, path: string, options: object): Task;
  asOf(handle: Handle, fixed: Handle, branch: string | undefined, ...point: NativePoint): Task;
  close(handle: Handle): Task;
  query(handle: Handle, wanted: Wanted, sql: string, ...parameters: unknown[]): Task;
  exec(handle: Handle, sql: string): Task;
  control(handle: Handle, step: 'begin' | 'commit' | 'rollback', depth: number): Task;
  controlNow(handle: Handle, step: 'begin' | 'commit' | 'rollback', depth: number): void;
  interrupt(handle: Handle, task: Task): void;
  inTransaction(handle: Handle): boolean;
  maintain(handle: Handle): Task;

  prepare(handle: Handle, sql: string): StatementNumber;
  get(statement: StatementNumber, ...parameters: unknown[]): string | undefined;
  all(statement: StatementNumber, ...parameters: unknown[]): void;
  start(statement: StatementNumber, ...parameters: unknown[]): void;
  fetch(statement: StatementNumber, most: number): void;
  stop(statement: StatementNumber): void;
  run(statement: StatementNumber, ...parameters: unknown[]): void;
  columns(statement: StatementNumber): string[];
  readOnly(statement: StatementNumber): boolean;
  release(statement: StatementNumber): void;

  branch(handle: Handle, name: string, ...from: NativePoint): Task;
  checkout(handle: Handle, name: string): Task;
  currentBranch(handle: Handle): Task;
  deleteBranch(handle: Handle, name: string, force: boolean): Task;
  listBranches(handle: Handle): Task;
  compareBranches(handle: Handle, source: string, target: string): Task;
  createSnapshot(handle: Handle, name: string, ...at: NativePoint): Task;
  dropSnapshot(handle: Handle, name: string): Task;
  listSnapshots(handle: Handle): Task;
  resolve(handle: Handle, ...point: NativePoint): Task;
  distance(handle: Handle, branch: string, ...points: [...NativePoint, ...NativePoint]): Task;

  merge(
    handle: Handle,
    source: string,
    strategy: string,
    squash: boolean,
    renumber: boolean,
    dryRun: boolean,
    message: string,
  ): Task;
  conflicts(handle: Handle): Task;
  resolveConflict(handle: Handle, id: number, take: string, json: string): Task;
  completeMerge(handle: Handle, message: string): Task;
  abortMerge(handle: Handle): Task;
  revert(handle: Handle, ...commitAndOptions: [...NativePoint, ...NativePickOptions]): Task;
  cherryPick(handle: Handle, lsn: bigint | number, ...options: NativePickOptions): Task;

  makeFeed(handle: Handle): Feed;
  openFeed(feed: Feed, ...source: NativeFeedSource): Task;
  nextChanges(feed: Feed, waits: boolean): Task;
  closeFeed(feed: Feed): Task;
  createSlot(
    handle: Handle,
    name: string,
    branch: string,
    lsn: bigint | number | undefined,
    lagSecondsMax: number | undefined,
    lagBytesMax: number | undefined,
  ): Task;
  acknowledge(handle: Handle, name: string, lsn: bigint | number): Task;
  dropSlot(handle: Handle, name: string): Task;
  listSlots(handle: Handle): Task;
  getSlot(handle: Handle, name: string): Task;
}

const reportBytes = 64;
const memory = new ArrayBuffer(reportBytes + 8 * 8192);

/** What the addon says beside rows. */
export const report = new Float64Array(memory, 0, reportBytes / 8);
export const Report = { rows: 0, shape: 1, more: 2, task: 3, failed: 4, textPlace: 5 } as const;
/** Numbers, and NaNs that stand for something else. */
export const cells = new Float64Array(memory, reportBytes);
/** The halves of the cells. */
export const words = new Uint32Array(memory, reportBytes);
/** Strings, bigints and Uint8Arrays that cells stand for. */
export const extras: unknown[] = [];

function makeError(
  code: ErrorCode,
  message: string,
  hint: string,
  sqliteCode: number,
  sql: string,
  offset: number,
  retryable: boolean,
) {
  const details: ErrorDetails = { retryable };
  if (hint !== '') details.hint = hint;
  if (sql !== '') details.sql = sql;
  if (offset >= 0) details.offset = offset;
  if (sqliteCode !== 0) details.sqliteCode = sqliteCode;
  const error = new DoSQLError(code, message, details);
  Error.captureStackTrace(error, makeError);
  return error;
}

export const native = createRequire(import.meta.url)('./dosql.node') as Native;

/** `settle` is called when outcomes of asynchronous calls are there. */
export function setUpNative(settle: () => void): void {
  native.setUp(memory, extras, makeError, settle);
}
