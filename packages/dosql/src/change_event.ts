// Changes as events: the addon gives them as a list of values (bindings/node/feed.cc writes it).

import { extras, report, Report } from './native.js';
import { Columns, type Row, valueAt } from './rows.js';

export type Operation = 'INSERT' | 'UPDATE' | 'DELETE';

interface EventOfCommit {
  /** The change's own: a feed that begins behind it goes on with the next event. */
  lsn: bigint;
  /** The same for all events of a commit. */
  txnId: string;
  /** Of the commit: one object for all of its events that came together. */
  timestamp: Date;
}

/** What one commit did to one row. */
export interface ChangeEvent extends EventOfCommit {
  type: 'insert' | 'update' | 'delete';
  /** The same, as SQL says it. */
  op: Operation;
  /** As it is called after the commit. */
  table: string;
  /** The row before; of an update or delete. */
  before?: Row;
  /** The row after; of an insert or update. */
  after?: Row;
  /** `after`, of a delete `before`. */
  data: Row;
  /** The values of the PRIMARY KEY, else the rowid, as SQLite's record format encodes them. */
  key: Uint8Array;
  /** True: it is no change, but a row that was there when the feed began. */
  snapshot?: boolean;
}

/** A table came, went, or was altered or renamed. It stands in front of the commit's row changes. */
export interface SchemaEvent extends EventOfCommit {
  type: 'schema';
  op: 'SCHEMA';
  /** As it is called after the commit; of one that went, before it. */
  table: string;
  /** Its CREATE statement before; not of one that came. */
  before?: { sql: string };
  /** Its CREATE statement after; not of one that went. */
  after?: { sql: string };
}

/** A commit's first or last event. The LSN of `begin` is the one in front of the commit. */
export interface TransactionEvent extends EventOfCommit {
  type: 'begin' | 'commit';
  op: 'BEGIN' | 'COMMIT';
}

/** Whatever a feed may give. */
export type FeedEvent = ChangeEvent | SchemaEvent | TransactionEvent;

// What stands first in each piece of a list.
const Entry = {
  transaction: 0,
  table: 1,
  insert: 2,
  update: 3,
  delete: 4,
  snapshotRow: 5,
  schema: 6,
  begin: 7,
  commit: 8,
} as const;

// Behind the events.
const trailerCells = 3;
// A short key is copied more quickly byte by byte.
const shortKeyBytes = 16;
const mostKnownTables = 1024;

interface Table {
  name: string;
  columns: Columns;
}

/** Makes events of what the addon shows. */
export class EventReader {
  /** All changes up to it were given, or left out by the addon. */
  givenLSN = 0n;
  /** There were more than fitted into the newest list. */
  more = false;

  // Names come once in each list; a table that comes again has its columns still.
  #tables: Table[] = [];
  #known = new Map<string, Table>();
  #keys: Uint8Array = new Uint8Array(0);
  #at = 0;
  #keyEnd = 0;
  #txnId = '';
  #timestamp = new Date(0);

  /** Of a task; there is never more than is shown at once. */
  readonly take = (into: FeedEvent[]): boolean => {
    const cells = report[Report.rows]!;
    this.more = false;
    if (cells === 0) return false;
    const end = cells - trailerCells;
    this.givenLSN = BigInt(valueAt(end) as number | bigint);
    this.more = valueAt(end + 1) === 1;
    this.#keys = valueAt(end + 2) as Uint8Array;
    this.#tables = [];
    this.#keyEnd = 0;
    for (this.#at = 0; this.#at < end; ) this.#takeEntry(this.#number(), into);
    extras.length = 0;
    return false;
  };

  #takeEntry(entry: number, into: FeedEvent[]): void {
    switch (entry) {
      case Entry.transaction:
        this.#txnId = String(this.#take());
        this.#timestamp = new Date(this.#number());
        break;
      case Entry.table:
        this.#tables.push(this.#table());
        break;
      case Entry.schema:
        into.push(this.#schemaEvent());
        break;
      case Entry.begin:
      case Entry.commit:
        into.push(this.#transactionEvent(entry === Entry.begin));
        break;
      default:
        into.push(this.#change(entry));
    }
  }

  #table(): Table {
    const name = this.#take() as string;
    const names = Array.from({ length: this.#number() }, () => this.#take() as string);
    const key = JSON.stringify([name, names]);
    let table = this.#known.get(key);
    if (table === undefined) {
      if (this.#known.size >= mostKnownTables) this.#known.clear();
      table = { name, columns: new Columns(names) };
      this.#known.set(key, table);
    }
    return table;
  }

  #change(entry: number): ChangeEvent {
    const first = this.#tables[this.#number()]!;
    const second = entry === Entry.update ? this.#tables[this.#number()]! : first;
    const table = second.name;
    const lsn = this.#lsn();
    const txnId = this.#txnId;
    const timestamp = this.#timestamp;
    const key = this.#key();
    const row = this.#row(first);
    switch (entry) {
      case Entry.update: {
        const after = this.#row(second);
        return { type: 'update', op: 'UPDATE', table, lsn, txnId, timestamp, key, before: row, after, data: after };
      }
      case Entry.delete:
        return { type: 'delete', op: 'DELETE', table, lsn, txnId, timestamp, key, before: row, data: row };
      case Entry.snapshotRow:
        return { type: 'insert', op: 'INSERT', table, lsn, txnId, timestamp, key, after: row, data: row, snapshot: true };
      default:
        return { type: 'insert', op: 'INSERT', table, lsn, txnId, timestamp, key, after: row, data: row };
    }
  }

  #schemaEvent(): SchemaEvent {
    const table = this.#take() as string;
    const event: SchemaEvent = { type: 'schema', op: 'SCHEMA', table, ...this.#commitOf(this.#lsn()) };
    const before = this.#take() as string | null;
    const after = this.#take() as string | null;
    if (before !== null) event.before = { sql: before };
    if (after !== null) event.after = { sql: after };
    return event;
  }

  #transactionEvent(begins: boolean): TransactionEvent {
    const commit = this.#commitOf(this.#lsn());
    return begins ? { type: 'begin', op: 'BEGIN', ...commit } : { type: 'commit', op: 'COMMIT', ...commit };
  }

  #commitOf(lsn: bigint): EventOfCommit {
    return { lsn, txnId: this.#txnId, timestamp: this.#timestamp };
  }

  #row(table: Table): Row {
    const row = table.columns.object(this.#at);
    this.#at += table.columns.names.length;
    return row;
  }

  #key(): Uint8Array {
    const begin = this.#keyEnd;
    const end = this.#number();
    this.#keyEnd = end;
    const bytes = end - begin;
    if (bytes > shortKeyBytes) return this.#keys.slice(begin, end);
    const key = new Uint8Array(bytes);
    for (let at = 0; at < bytes; ++at) key[at] = this.#keys[begin + at]!;
    return key;
  }

  #lsn(): bigint {
    return BigInt(this.#take() as number | bigint);
  }

  #take(): unknown {
    return valueAt(this.#at++);
  }

  #number(): number {
    return this.#take() as number;
  }
}
