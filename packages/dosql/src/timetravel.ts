/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Sessions in the past, and how versions and branches lie to each other.
 *
 * @packageDocumentation
 */
import { rowsOf } from './calls.js';
import type { BranchComparison, BranchInfo, Database, VersionId } from './database.js';
import { DoSQLError } from './errors.js';
import { native } from './native.js';
import { Scope } from './scope.js';
import { nativePoint, type TimePoint } from './time_point.js';

export type { BranchComparison, BranchInfo, VersionId } from './database.js';
export { branch, lsn, relative, snapshot, type TimePoint, timestamp } from './time_point.js';

export interface TimeTravelOptions {
  /** The version at which the session stays. */
  asOf: TimePoint | string;
  /**
   * Whose present the point is counted from: that of the handle, on its branch and in its open transaction
   * (`local`, the default), or that of `branch`, whoever is where (`branch`). `global` is for databases of several
   * shards.
   */
  scope?: 'local' | 'branch' | 'global';
  /** For the scope `branch`. Default: main. */
  branch?: string;
}

/** Every query of a session sees the same version. Writing is DOSQL_READ_ONLY. */
export class TimeTravelSession extends Scope {
  /** Ends the session. The database may be closed before. */
  close(): Promise<void> {
    return this.handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A session at a point in time, resolved now. */
export async function createTimeTravelSession(db: Database, options: TimeTravelOptions): Promise<TimeTravelSession> {
  const { asOf, scope = 'local', branch = 'main' } = options;
  if (scope === 'global') {
    throw new DoSQLError('DOSQL_INVALID_ARGUMENT', "the scope 'global' is for databases of several shards", {
      hint: "this database is one: use the scope 'local' or 'branch'",
    });
  }
  if (scope !== 'local' && scope !== 'branch') {
    throw new DoSQLError('DOSQL_INVALID_ARGUMENT', `${JSON.stringify(scope)} is no scope of a session`);
  }
  const countedOn = scope === 'branch' ? branch : undefined;
  const handle = await db.openAsOf((number, fixed) => native.asOf(number, fixed, countedOn, ...nativePoint(asOf)));
  return new TimeTravelSession(handle);
}

/** Answers questions about the history of a database's branches. */
export class BranchHistoryManager {
  readonly #database: Database;

  /** @internal */
  constructor(database: Database) {
    this.#database = database;
  }

  /**
   * How many commits lead from one point to another, both counted on `branch`: 3 from main@2 to main@5, -3 the
   * other way round.
   */
  async getDistance(from: TimePoint | string, to: TimePoint | string, branch = 'main'): Promise<number> {
    const task = native.distance(this.#database.number, branch, ...nativePoint(from), ...nativePoint(to));
    return (await rowsOf(task))[0]!['commits'];
  }

  compareBranches(source: string, target: string): Promise<BranchComparison> {
    return this.#database.compareBranches(source, target);
  }

  listBranches(): Promise<BranchInfo[]> {
    return this.#database.listBranches();
  }

  /** The version that a point means. */
  resolve(point: TimePoint | string): Promise<VersionId> {
    return this.#database.resolve(point);
  }
}

export function createBranchHistoryManager(db: Database): BranchHistoryManager {
  return new BranchHistoryManager(db);
}

/** How far two branches are apart. */
export function compareBranches(
  manager: BranchHistoryManager | Database,
  source: string,
  target: string,
): Promise<BranchComparison> {
  return manager.compareBranches(source, target);
}
