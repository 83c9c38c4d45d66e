// Notes with an undo and drafts: what every version of a database being there gives to a small program.
//
// A draft is a branch. Undo is a read of the version before, written again: nothing is lost by it, so that undoing
// the undo works too.

import { type Database, DB, type DatabaseOptions } from '@dotdo/dosql';

export interface Note {
  id: number;
  title: string;
  body: string;
  changed: string;
}

/** Someone asked for what is not there, or gave what cannot be. */
export class NotesError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const branchOf = (draft: string) => `draft/${draft}`;

export class Notes {
  readonly #name: string;
  readonly #options: DatabaseOptions;
  // One handle for each draft that is in use; '' is what is published.
  readonly #handles = new Map<string, Promise<Database>>();

  constructor(name: string, options: DatabaseOptions = {}) {
    this.#name = name;
    this.#options = { ...options, migrations: { folder: new URL('migrations', import.meta.url).pathname } };
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

  async dropDraft(draft: string): Promise<void> {
    const handle = this.#handles.get(draft);
    this.#handles.delete(draft);
    await (await handle)?.close();
    await this.#with('', (db) => db.deleteBranch(branchOf(draft), { force: true }));
  }

  async close(): Promise<void> {
    const handles = [...this.#handles.values()];
    this.#handles.clear();
    for (const handle of handles) await (await handle).close();
  }

  async #with<T>(draft: string, action: (db: Database) => Promise<T>): Promise<T> {
    let handle = this.#handles.get(draft);
    if (handle === undefined) {
      handle = this.#open(draft);
      this.#handles.set(draft, handle);
      handle.catch(() => this.#handles.delete(draft));
    }
    return action(await handle);
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
