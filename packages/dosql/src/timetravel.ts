/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Sessions in the past, and how versions and branches lie to each other.
 *
 * @packageDocumentation
 */
import { inspect } from 'node:util';
import { rowsOf } from './calls.js';
import { type BranchComparison, type BranchInfo, Database, needDatabase, type VersionId } from './database.js';
import type { Handle } from './handle.js';
import { native } from './native.js';
import { checkOptions, type OptionNames, refuse } from './options.js';
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
  scope?: 'local' | 'branch' | 'global' | undefined;
  /** For the scope `branch`. Default: main. */
  branch?: string | undefined;
}

const sessionOptions: OptionNames<TimeTravelOptions> = { asOf: true, scope: true, branch: true };

/** Every query of a session sees the same version. Writing is DOSQL_READ_ONLY. */
export class TimeTravelSession extends Scope {
  private constructor(handle: Handle) {
    super(handle);
  }

  /** @internal */
  static of(handle: Handle): TimeTravelSession {
    return new TimeTravelSession(handle);
  }

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
  const { asOf, scope = 'local', branch = 'main' } = checkOptions(options, sessionOptions, 'a session');
  if (scope === 'global') {
    refuse("the scope 'global' is for databases of several shards", "this database is one: use 'local' or 'branch'");
  }
  if (scope !== 'local' && scope !== 'branch') refuse(`${inspect(scope)} is no scope of a session`);
  const countedOn = scope === 'branch' ? branch : undefined;
  const handle = await needDatabase(db).openAsOf((number, fixed) => native.asOf(number, fixed, countedOn, ...nativePoint(asOf)));
  return TimeTravelSession.of(handle);
}

/** Answers questions about the history of a database's branches. */
export class BranchHistoryManager {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  /** @internal */
  static of(database: Database): BranchHistoryManager {
    return new BranchHistoryManager(database);
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
  return BranchHistoryManager.of(needDatabase(db));
}

/** How far two branches are apart. */
export async function compareBranches(
  manager: BranchHistoryManager | Database,
  source: string,
  target: string,
): Promise<BranchComparison> {
  const database = manager instanceof BranchHistoryManager ? manager : needDatabase(manager);
  return database.compareBranches(source, target);
}
