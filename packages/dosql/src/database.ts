/// <reference lib="esnext.disposable" preserve="true" />
import { mkdirSync } from 'node:fs';
import path from 'node:path';
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
} from './merge.js';
import { migrate, type MigrationOptions } from './migrations.js';
import { native } from './native.js';
import type { Row } from './rows.js';
import { Scope } from './scope.js';
import type { Statement } from './statement.js';
import { lsn, nativePoint, type TimePoint } from './time_point.js';

export interface DatabaseOptions {
  /** The folder of the databases. Default: the environment variable DOSQL_DATA, or `./.dosql`. */
  dataFolder?: string;
  /** SQL files to run, each once, before the database is given out. */
  migrations?: MigrationOptions;
  /** Changes nothing, must exist, and follows a process that writes. */
  readOnly?: boolean;
  /** Memory for the newest pages, at most. Default: 256 MiB. */
  poolBytes?: number;
  /** Memory for older pages that were rebuilt, at most. Default: 16 MiB. */
  historyCacheBytes?: number;
  /**
   * Memory for the pages that a handle keeps beside the pool, at most; all handles of a database together have at
   * most 256 MiB. Default: 16,000 KiB.
   */
  cacheBytes?: number;
  /** May SQL reach files outside of the database (ATTACH, VACUUM INTO)? Default: no. */
  allowFiles?: boolean;
  /** How long a statement waits for another writer of its branch. Default: 5000. */
  busyTimeoutMs?: number;
}

const optionNames = new Set<string>([
  'dataFolder',
  'migrations',
  'readOnly',
  'poolBytes',
  'historyCacheBytes',
  'cacheBytes',
  'allowFiles',
  'busyTimeoutMs',
] satisfies (keyof DatabaseOptions)[]);

/** A version: `branch` after its `version`-th commit. */
export interface VersionId {
  branch: string;
  version: number;
  lsn: bigint;
}

export interface BranchOptions {
  /** What it begins with: `main@5`, the name of a snapshot or a branch, or a point in time. Default: now. */
  from?: string | TimePoint;
  /** The same, as an LSN. */
  fromLSN?: bigint | number;
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

function refuse(message: string, hint?: string): never {
  throw new DoSQLError('DOSQL_INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
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
    const unknown = Object.keys(options).find((option) => !optionNames.has(option));
    if (unknown !== undefined) refuse(`there is no option '${unknown}'`);
    const { dataFolder, migrations, ...engineOptions } = options;
    if (typeof name !== 'string' || name === '' || /[/\\\0]/.test(name) || name === '.' || name === '..') {
      refuse(`${JSON.stringify(name)} cannot be the name of a database`, 'the option dataFolder says where it is');
    }
    const folder = path.resolve(dataFolder ?? (process.env['DOSQL_DATA'] || '.dosql'));
    if (options.readOnly !== true) mkdirSync(folder, { recursive: true, mode: 0o700 });
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
    const outermost = !this.inTransaction;
    const run = (sql: string) => this.#control(sql).run();
    run(outermost ? 'BEGIN IMMEDIATE' : 'SAVEPOINT dosql_sync');
    try {
      const result = body();
      if (result instanceof Promise) refuse('the body of transactionSync() gave a promise', 'use transaction()');
      run(outermost ? 'COMMIT' : 'RELEASE dosql_sync');
      return result;
    } catch (error) {
      // A failure may have ended the transaction already.
      if (this.inTransaction) {
        run(outermost ? 'ROLLBACK' : 'ROLLBACK TO dosql_sync');
        if (!outermost) run('RELEASE dosql_sync');
      }
      throw error;
    }
  }

  readonly #controls = new Map<string, Statement>();

  #control(sql: string): Statement {
    let statement = this.#controls.get(sql);
    if (statement === undefined) {
      statement = this.prepare(sql);
      this.#controls.set(sql, statement);
    }
    return statement;
  }

  /** Makes a branch, in constant time; the handle stays where it is. */
  branch(name: string, options: BranchOptions = {}): Promise<void> {
    return this.enter(async () => {
      const { from, fromLSN } = options;
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
  deleteBranch(name: string, options: { force?: boolean } = {}): Promise<void> {
    return this.enter(() => ended(native.deleteBranch(this.number, name, options.force === true)));
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
    const { strategy = 'auto', squash = false, renumber = false, dryRun = false, message = '' } = options;
    return this.#merge(() => native.merge(this.number, branch, strategy, squash, renumber, dryRun, message));
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
  async completeMerge(options: { message?: string } = {}): Promise<MergeResult> {
    const result = await this.#merge(() => native.completeMerge(this.number, options.message ?? ''));
    if (result.conflicts.length > 0) throw new MergeConflictError(result.conflicts);
    return result;
  }

  /** Forgets the merge that waits. */
  abortMerge(): Promise<void> {
    return this.enter(() => ended(native.abortMerge(this.number)));
  }

  /** Makes a commit that undoes the one that made a version, and leaves what came later; merges, as merge() does. */
  revert(commit: string | TimePoint): Promise<MergeResult> {
    return this.#merge(() => native.revert(this.number, ...nativePoint(commit)));
  }

  /** Makes a commit that does what the commit with that LSN, of whatever branch, did; merges, as merge() does. */
  cherryPick(lsn: bigint | number): Promise<MergeResult> {
    return this.#merge(() => native.cherryPick(this.number, lsn));
  }

  #merge(start: () => number): Promise<MergeResult> {
    return this.enter(async () => mergeResultOf(await valuesOf(start())));
  }

  /** Labels a version: the newest one, or that of `at`. */
  createSnapshot(name: string, options: { at?: string | TimePoint } = {}): Promise<void> {
    return this.enter(async () => {
      await ended(native.createSnapshot(this.number, name, ...nativePoint(options.at)));
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
