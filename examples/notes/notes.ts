// Notes with an undo, drafts and a live feed: what every version of a database being there gives to a small program.
//
// A draft is a branch, and publishing it is a merge. The feed is the database's own. Undo is a read of the version
// before, written again: nothing is lost by it, so that undoing the undo works too.

import { fileURLToPath } from 'node:url';
import { type Database, DB, type DatabaseOptions } from '@dotdo/dosql';
import { type CDCSubscription, createCDCSubscription } from '@dotdo/dosql/cdc';

export interface Note {
  id: number;
  title: string;
  body: string;
  changed: string;
}

/** Someone asked for what is not there, or gave what cannot be. */
export class NotesError extends Error {
  readonly status: number;
  readonly details: object;

  constructor(status: number, message: string, details: object = {}) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

const branchOf = (draft: string) => `draft/${draft}`;

export class Notes {
  readonly #name: string;
  readonly #options: DatabaseOptions;
  // One handle for each draft that is in use; '' is what is published.
  readonly #handles = new Map<string, Promise<Database>>();
  // What is being done in each of them.
  readonly #actions = new Map<string, Set<Promise<unknown>>>();
  // Drafts that somebody is about to end, until that is decided.
  readonly #ending = new Map<string, Promise<unknown>>();
  readonly #feeds = new Set<CDCSubscription>();

  constructor(name: string, options: DatabaseOptions = {}) {
    this.#name = name;
    this.#options = { ...options, migrations: { folder: fileURLToPath(new URL('migrations', import.meta.url)) } };
  }

  list(draft = ''): Promise<Note[]> {
    return this.#with(draft, (db) => db.query<Note>('SELECT * FROM notes ORDER BY id'));
  }

  async save(note: { id?: number; title: string; body: string }, draft = ''): Promise<Note> {
    const saved = await this.#with(draft, (db) =>
      db.queryOne<Note>(
        `INSERT INTO notes (id, title, body) VALUES (:id, :title, :body)
         ON CONFLICT (id) DO UPDATE SET title = excluded.title, body = excluded.body, changed = excluded.changed
         RETURNING *`,
        { id: note.id ?? null, title: note.title, body: note.body },
      ),
    );
    return saved!;
  }

  async remove(id: number, draft = ''): Promise<void> {
    const { changes } = await this.#with(draft, (db) => db.run('DELETE FROM notes WHERE id = ?', [id]));
    if (changes === 0) throw new NotesError(404, `there is no note ${id}`);
  }

  /** All versions, the newest first. */
  history(draft = ''): Promise<{ version: number; timestamp: string }[]> {
    return this.#with(draft, (db) => db.query('SELECT version, timestamp FROM dosql_log'));
  }

  /** The notes as they were. */
  at(version: number, draft = ''): Promise<Note[]> {
    return this.#with(draft, async (db) =>
      db.query<Note>('SELECT * FROM notes FOR SYSTEM_TIME AS OF SNAPSHOT ? ORDER BY id', [
        `${await db.currentBranch()}@${version}`,
      ]),
    );
  }

  /** Makes the notes what they were before the newest change. */
  undo(draft = ''): Promise<void> {
    return this.#with(draft, (db) =>
      db.transaction(async (tx) => {
        const { version } = await db.resolve();
        // The first version made the table.
        if (version <= 1) throw new NotesError(409, 'there is nothing to undo');
        await tx.run('DELETE FROM notes WHERE id NOT IN (SELECT id FROM notes FOR SYSTEM_TIME AS OF VERSION CURRENT - 1)');
        await tx.run('INSERT OR REPLACE INTO notes SELECT * FROM notes FOR SYSTEM_TIME AS OF VERSION CURRENT - 1');
      }),
    );
  }

  async drafts(): Promise<string[]> {
    const branches = await this.#with('', (db) => db.listBranches());
    return branches.filter(({ name }) => name.startsWith('draft/')).map(({ name }) => name.slice('draft/'.length));
  }

  startDraft(draft: string): Promise<void> {
    return this.#with('', (db) => db.branch(branchOf(draft)));
  }

  /**
   * Makes a draft's changes those of all; the draft ends. Where both changed the same field of a note, nothing
   * happens, unless it is said whose change counts.
   */
  publish(draft: string, prefer: 'auto' | 'ours' | 'theirs' = 'auto'): Promise<void> {
    return this.#end(draft, async (db) => {
      const options = { strategy: prefer, renumber: true, message: `draft ${draft}` };
      const { conflicts } = await db.merge(branchOf(draft), options);
      if (conflicts.length > 0) throw new NotesError(409, 'the draft and others changed the same', { conflicts });
      // Not by force: where it had changes that were not merged, it would stay.
      await db.deleteBranch(branchOf(draft));
    });
  }

  /** What happens to the notes from now on, or behind a change that was seen. */
  async feed(after?: bigint): Promise<CDCSubscription> {
    const feed = await this.#with('', async (db) =>
      createCDCSubscription(db, { fromLSN: after ?? (await db.resolve()).lsn, filter: { tables: ['notes'] } }),
    );
    this.#feeds.add(feed);
    return feed;
  }

  async endFeed(feed: CDCSubscription): Promise<void> {
    this.#feeds.delete(feed);
    await feed.close();
  }

  async endFeeds(): Promise<void> {
    for (const feed of this.#feeds) await this.endFeed(feed);
  }

  dropDraft(draft: string): Promise<void> {
    return this.#end(draft, (db) => db.deleteBranch(branchOf(draft), { force: true }));
  }

  async close(): Promise<void> {
    await this.endFeeds();
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    for (const handle of handles) await (await handle).close();
  }

  // Lets what is being done in the draft end, and then `end` decide; whoever comes meanwhile waits.
  async #end(draft: string, end: (published: Database) => Promise<void>): Promise<void> {
    while (this.#ending.has(draft)) await this.#ending.get(draft);
    const ended = (async () => {
      await Promise.allSettled(this.#actions.get(draft) ?? []);
      const handle = this.#handles.get(draft);
      this.#handles.delete(draft);
      await (await handle)?.close();
      await this.#with('', end);
    })();
    this.#ending.set(draft, ended.catch(() => {}));
    await ended.finally(() => this.#ending.delete(draft));
  }

  async #with<T>(draft: string, action: (db: Database) => Promise<T>): Promise<T> {
    while (this.#ending.has(draft)) await this.#ending.get(draft);
    const actions = this.#actions.get(draft) ?? new Set();
    this.#actions.set(draft, actions);
    const done = this.#handle(draft).then(action);
    actions.add(done);
    try {
      return await done;
    } finally {
      actions.delete(done);
      if (actions.size === 0 && this.#actions.get(draft) === actions) this.#actions.delete(draft);
    }
  }

  #handle(draft: string): Promise<Database> {
    let handle = this.#handles.get(draft);
    if (handle === undefined) {
      handle = this.#open(draft);
      this.#handles.set(draft, handle);
      handle.catch(() => this.#handles.delete(draft));
    }
    return handle;
  }

  async #open(draft: string): Promise<Database> {
    const db = await DB(this.#name, this.#options);
    try {
      if (draft !== '') await db.checkout(branchOf(draft));
      return db;
    } catch (error) {
      await db.close();
      throw error;
    }
  }
}
