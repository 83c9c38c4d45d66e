/**
 * The storage below a database: what its branches and history take, and housekeeping. Pages are shared between
 * branches and written anew only where a branch changes them (copy on write), so a branch costs what it changed.
 * Programs that only run SQL need nothing of it; it is for those that watch disk and memory.
 *
 * @packageDocumentation
 */
import { rowsOf } from './calls.js';
import { type BranchInfo, type Database, needDatabase, type SnapshotInfo } from './database.js';
import { native } from './native.js';

export type { BranchInfo, SnapshotInfo } from './database.js';

/** What a database takes, and what it holds. */
export interface StorageSizes {
  /** Used bytes of the log, which is the database and all its history. */
  logBytes: number;
  /** Files of the log. */
  segments: number;
  /** Commits over all branches. */
  commits: number;
  branches: number;
  /** Pages of the database at the version that the handle sees. */
  pages: number;
  /** Versions of pages in the history. */
  pageVersions: number;
  /** Memory of the index of pages and commits. */
  indexBytes: number;
  /** Memory of page images. */
  poolBytes: number;
}

/** A database as its storage sees it. */
export class COWBackend {
  readonly #database: Database;

  private constructor(database: Database) {
    this.#database = database;
  }

  /** @internal */
  static of(database: Database): COWBackend {
    return new COWBackend(database);
  }

  branches(): Promise<BranchInfo[]> {
    return this.#database.listBranches();
  }

  snapshots(): Promise<SnapshotInfo[]> {
    return this.#database.listSnapshots();
  }

  async sizes(): Promise<StorageSizes> {
    const rows = await this.#database.query<{ name: string; value: number }>('SELECT name, value FROM dosql_status');
    const value = (name: string) => rows.find((row) => row.name === name)!.value;
    return {
      logBytes: value('log_bytes'),
      segments: value('segments'),
      commits: value('commits'),
      branches: value('branches'),
      pages: value('db_pages'),
      pageVersions: value('page_versions'),
      indexBytes: value('index_bytes'),
      poolBytes: value('pool_bytes'),
    };
  }

  /**
   * Does the housekeeping that waits: a checkpoint, so that the next open replays less. It takes no history away.
   * An idle database does it by itself.
   */
  async gc(): Promise<void> {
    while ((await rowsOf(native.maintain(this.#database.number)))[0]!['more'] === 1) {
      // What is left is done in the next turn.
    }
  }
}

export function createCOWBackend(db: Database): COWBackend {
  return COWBackend.of(needDatabase(db));
}
