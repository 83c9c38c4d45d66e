/// <reference lib="esnext.disposable" preserve="true" />
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { inspect } from 'node:util';
import { ended, rowsOf, valuesOf } from './calls.js';
import { DoSQLError, MergeConflictError } from './errors.js';
import { Handle } from './handle.js';
import {
  type ConflictResolution,
  conflictsOf,
  type MergeConflict,
  type MergeOptions,
  type MergeResult,
  mergeResultOf,
  nativeResolution,
  type PickOptions,
} from './merge.js';
import { migrate, type MigrationOptions } from './migrations.js';
import { type NativePickOptions, native } from './native.js';
import { checkOptions, type OptionNames, refuse, truthOf } from './options.js';
import type { Row } from './rows.js';
import { Scope } from './scope.js';
import { lsn, nativePoint, type TimePoint } from './time_point.js';

export interface DatabaseOptions {
  /** The folder of the databases. Default: the environment variable DOSQL_DATA, or `./.dosql`. */
  dataFolder?: string | undefined;
  /** SQL files to run, each once, before the database is given out. */
  migrations?: MigrationOptions | undefined;
  /** Changes nothing, must exist, and follows a process that writes. */
  readOnly?: boolean | undefined;
  /** Memory for the newest pages, at most. Default: 256 MiB. */
  poolBytes?: number | undefined;
  /** Memory for older pages that were rebuilt, at most. Default: 16 MiB. */
  historyCacheBytes?: number | undefined;
  /**
   * Memory for the pages that a handle keeps beside the pool, at most; all handles of a database together have at
   * most 256 MiB. Default: 16,000 KiB.
   */
  cacheBytes?: number | undefined;
  /** May SQL reach files outside of the database (ATTACH, VACUUM INTO)? Default: no. */
  allowFiles?: boolean | undefined;
  /** How long a statement waits for another writer of its branch. Default: 5000. */
  busyTimeoutMs?: number | undefined;
}

const databaseOptions: OptionNames<DatabaseOptions> = {
  dataFolder: true,
  migrations: true,
  readOnly: true,
  poolBytes: true,
  historyCacheBytes: true,
  cacheBytes: true,
  allowFiles: true,
  busyTimeoutMs: true,
};
const mergeOptions: OptionNames<MergeOptions> = {
  strategy: true,
  squash: true,
  renumber: true,
  message: true,
  dryRun: true,
};
const pickOptions: OptionNames<PickOptions> = { strategy: true, message: true, dryRun: true };

function nativePickOptions(options: PickOptions, method: string): NativePickOptions {
  const { strategy = 'auto', dryRun, message = '' } = checkOptions(options, pickOptions, method);
  return [strategy, truthOf(dryRun, 'dryRun'), message];
}

/** A version: `branch` after its `version`-th commit. */
export interface VersionId {
  branch: string;
  version: number;
  lsn: bigint;
}

export interface BranchOptions {
  /** What it begins with: `main@5`, the name of a snapshot or a branch, or a point in time. Default: now. */
  from?: string | TimePoint | undefined;
  /** The same, as an LSN. */
  fromLSN?: bigint | number | undefined;
}

export interface BranchInfo {
  name: string;
  /** Its newest version. */
  version: number;
  lsn: bigint;
  /** It began with `parent@forkVersion`; null for main. */
  parent: string | null;
  forkVersion: number | null;
  created: Date | null;
  /** This handle is on it. */
  current: boolean;
}

/** In commits, counted from the newest version that both branches contain. */
export interface BranchComparison {
  source: string;
  target: string;
  /** Commits of the source that the target lacks. */
  sourceAhead: number;
  /** Commits of the target that the source lacks. */
  sourceBehind: number;
  /** Both lack some. */
  diverged: boolean;
  /** Only the target lacks some. */
  canFastForward: boolean;
  /** The newest version that both contain, as `main@5`. */
  mergeBase: string;
}

export interface SnapshotInfo {
  name: string;
  /** It labels `branch@version`. */
  branch: string;
  version: number;
  lsn: bigint;
  created: Date;
}

/**
 * A handle of a database: a connection of its own, on a branch of its own. Handles of the same database in one
 * process share everything else. Asynchronous calls run beside JavaScript, in the order in which they were made;
 * statements of `prepare()` run at once.
 */
export class Database extends Scope {
  readonly name: string;
  /** Its directory. */
  readonly path: string;

  private constructor(handle: Handle, name: string, directory: string) {
    super(handle);
    this.name = name;
    this.path = directory;
  }

  /** @internal */
  static async open(name: string, options: DatabaseOptions): Promise<Database> {
    const { dataFolder, migrations, ...engineOptions } = checkOptions(options, databaseOptions, 'DB()');
    if (typeof name !== 'string' || name === '' || /[/\\\0]/.test(name) || name === '.' || name === '..') {
      refuse(`${inspect(name)} cannot be the name of a database`, 'the option dataFolder says where it is');
    }
    if (dataFolder !== undefined && (typeof dataFolder !== 'string' || dataFolder === '')) {
      refuse('dataFolder must be the path of a folder');
    }
    const folder = path.resolve(dataFolder ?? (process.env['DOSQL_DATA'] || '.dosql'));
    if (options.readOnly !== true) makeFolder(folder);
    const directory = path.join(folder, name);
    const handle = await Handle.opened((number) => native.open(number, directory, engineOptions));
    const database = new Database(handle, name, directory);
    if (migrations === undefined) return database;
    try {
      await migrate(database, migrations);
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** @internal A handle that `start` opens at a version that this one sees. */
  openAsOf(start: (number: number, fixed: number) => number): Promise<Handle> {
    return this.enter(() => Handle.opened((fixed) => start(this.number, fixed)));
  }

  /** @internal */
  get number(): number {
    this.handle.checkOpen();
    return this.handle.number;
  }

  /**
   * Runs `body` at once in a transaction, and commits; rolls back when it throws. Inside a transaction it is a
   * savepoint.
   */
  transactionSync<T>(body: () => T): T {
    this.checkUsable();
    const depth = this.inTransaction ? 1 : 0;
    const control = (step: 'begin' | 'commit' | 'rollback') => native.controlNow(this.number, step, depth);
    control('begin');
    try {
      const result = this.#atOnce(body);
      if (result instanceof Promise) refuse('the body of transactionSync() gave a promise', 'use transaction()');
      control('commit');
      return result;
    } catch (error) {
      try {
        control('rollback');
      } catch {
        // The failure that led here is the one to report.
      }
      throw error;
    }
  }

  // Asynchronous calls would become part of the transaction, and say they were done before it is.
  #atOnce<T>(body: () => T): T {
    const before = this.handle.runsSynchronously;
    this.handle.runsSynchronously = true;
    try {
      return body();
    } finally {
      this.handle.runsSynchronously = before;
    }
  }

  /** Makes a branch, in constant time; the handle stays where it is. */
  branch(name: string, options: BranchOptions = {}): Promise<void> {
    return this.enter(async () => {
      const { from, fromLSN } = checkOptions(options, { from: true, fromLSN: true }, 'branch()');
      if (from !== undefined && fromLSN !== undefined) refuse('from and fromLSN say the same: give one');
      const point = fromLSN === undefined ? from : lsn(fromLSN);
      await ended(native.branch(this.number, name, ...nativePoint(point)));
    });
  }

  /** Moves this handle, and no other, to a branch. Not inside a transaction. */
  checkout(name: string): Promise<void> {
    return this.enter(() => ended(native.checkout(this.number, name)));
  }

  /** The branch that this handle is on. */
  currentBranch(): Promise<string> {
    return this.enter(async () => (await rowsOf(native.currentBranch(this.number)))[0]!['name']);
  }

  /** By name. */
  listBranches(): Promise<BranchInfo[]> {
    return this.enter(async () => (await rowsOf(native.listBranches(this.number))).map(branchInfo));
  }

  /** Drops a branch; with `force` also one that has commits that no other branch contains. */
  deleteBranch(name: string, options: { force?: boolean | undefined } = {}): Promise<void> {
    return this.enter(async () => {
      const force = truthOf(checkOptions(options, { force: true }, 'deleteBranch()').force, 'force');
      await ended(native.deleteBranch(this.number, name, force));
    });
  }

  /** How far two branches are apart. */
  compareBranches(source: string, target: string): Promise<BranchComparison> {
    return this.enter(async () => {
      const row = (await rowsOf(native.compareBranches(this.number, source, target)))[0]!;
      return {
        ...row,
        diverged: row['diverged'] === 1,
        canFastForward: row['canFastForward'] === 1,
      } as BranchComparison;
    });
  }

  /**
   * Merges a branch into the one that this handle is on: cell by cell, all of it or nothing. Where conflicts are in
   * the result, nothing was changed; with the strategy `manual` they wait then until each is resolved and the merge
   * is completed.
   */
  merge(branch: string, options: MergeOptions = {}): Promise<MergeResult> {
    return this.#merge(() => {
      const { strategy = 'auto', squash, renumber, dryRun, message = '' } = checkOptions(options, mergeOptions, 'merge()');
      const truths = [truthOf(squash, 'squash'), truthOf(renumber, 'renumber'), truthOf(dryRun, 'dryRun')] as const;
      return native.merge(this.number, branch, strategy, ...truths, message);
    });
  }

  /** The conflicts of the merge that waits for this handle's branch. */
  listConflicts(): Promise<MergeConflict[]> {
    return this.enter(async () => conflictsOf(await valuesOf(native.conflicts(this.number))));
  }

  /** Decides about a conflict that waits. A later decision takes the place of an earlier one. */
  resolveConflict(id: number, resolution: ConflictResolution): Promise<void> {
    return this.enter(async () => {
      await ended(native.resolveConflict(this.number, id, ...nativeResolution(resolution)));
    });
  }

  /**
   * Merges again, into what the handle's branch is by now, with what was decided. Where conflicts are left that nothing
   * was decided about, new ones too, it fails with a MergeConflictError: nothing was changed, and they wait.
   */
  async completeMerge(options: { message?: string | undefined } = {}): Promise<MergeResult> {
    const result = await this.#merge(() => {
      const { message = '' } = checkOptions(options, { message: true }, 'completeMerge()');
      return native.completeMerge(this.number, message);
    });
    if (result.conflicts.length > 0) throw new MergeConflictError(result.conflicts, result.action);
    return result;
  }

  /** Forgets the merge that waits. */
  abortMerge(): Promise<void> {
    return this.enter(() => ended(native.abortMerge(this.number)));
  }

  /** Makes a commit that undoes the one that made a version, and leaves what came later; merges, as merge() does. */
  revert(commit: string | TimePoint, options: PickOptions = {}): Promise<MergeResult> {
    return this.#merge(() =>
      native.revert(this.number, ...nativePoint(commit), ...nativePickOptions(options, 'revert()')),
    );
  }

  /** Makes a commit that does what the commit with that LSN, of whatever branch, did; merges, as merge() does. */
  cherryPick(lsn: bigint | number, options: PickOptions = {}): Promise<MergeResult> {
    return this.#merge(() => native.cherryPick(this.number, lsn, ...nativePickOptions(options, 'cherryPick()')));
  }

  #merge(start: () => number): Promise<MergeResult> {
    return this.enter(async () => mergeResultOf(await valuesOf(start())));
  }

  /** Labels a version: the newest one, or that of `at`. */
  createSnapshot(name: string, options: { at?: string | TimePoint | undefined } = {}): Promise<void> {
    return this.enter(async () => {
      const { at } = checkOptions(options, { at: true }, 'createSnapshot()');
      await ended(native.createSnapshot(this.number, name, ...nativePoint(at)));
    });
  }

  /** The version stays. */
  dropSnapshot(name: string): Promise<void> {
    return this.enter(() => ended(native.dropSnapshot(this.number, name)));
  }

  /** By name. */
  listSnapshots(): Promise<SnapshotInfo[]> {
    return this.enter(async () =>
      (await rowsOf(native.listSnapshots(this.number))).map(
        (row) => ({ ...row, lsn: BigInt(row['lsn']), created: new Date(row['created']) }) as SnapshotInfo,
      ),
    );
  }

  /** The version that a point means to this handle now; without one, what it would read. */
  resolve(point?: string | TimePoint): Promise<VersionId> {
    return this.enter(async () => {
      const row = (await rowsOf(native.resolve(this.number, ...nativePoint(point))))[0]!;
      return { ...row, lsn: BigInt(row['lsn']) } as VersionId;
    });
  }

  /** Ends the handle after the calls that were made, and with the last one of its database the database. */
  close(): Promise<void> {
    return this.enter(() => this.handle.close());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What the functions beside DB() take for a database. */
export function needDatabase(db: unknown): Database {
  if (!(db instanceof Database)) refuse('a database is needed: give what DB() gave');
  return db;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new DoSQLError('DOSQL_IO', `the folder of the databases '${folder}' cannot be made`, { cause });
  }
}

function branchInfo(row: Row): BranchInfo {
  return {
    ...row,
    lsn: BigInt(row['lsn']),
    created: row['created'] === null ? null : new Date(row['created']),
    current: row['current'] === 1,
  } as BranchInfo;
}

/**
 * Opens a database by its name, and makes it when there is none.
 *
 * Other processes may read it meanwhile, but one only writes: a second one gets DOSQL_LOCKED.
 */
export async function DB(name: string, options: DatabaseOptions = {}): Promise<Database> {
  return Database.open(name, options);
}
