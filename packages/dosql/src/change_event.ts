// Changes as events: the addon gives them as lists of values (bindings/node/feed.cc writes them).

import { Columns, type Row } from './rows.js';

export type Operation = 'INSERT' | 'UPDATE' | 'DELETE';

/** What one commit did to one row. */
export interface ChangeEvent {
  type: 'insert' | 'update' | 'delete';
  /** The same, as SQL says it. */
  op: Operation;
  /** As it is called after the commit. */
  table: string;
  /** The change's own: a feed that begins behind it goes on with the next change. */
  lsn: bigint;
  /** The same for all changes of a commit. */
  txnId: string;
  /** Of the commit. */
  timestamp: Date;
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

// What stands first in each piece of a list.
const Entry = { transaction: 0, table: 1, insert: 2, update: 3, delete: 4, snapshotRow: 5 } as const;

interface Table {
  name: string;
  columns: Columns;
}

/** Events that came at once, made as they are taken. */
export class ChangeBatch {
  readonly #values: unknown[];
  readonly #keys: Uint8Array;
  readonly #end: number;
  #at = 0;
  #keyEnd = 0;
  readonly #tables: Table[] = [];
  #txnId = '';
  #time = 0;

  constructor(values: unknown[]) {
    this.#values = values;
    this.#end = values.length - 1;
    this.#keys = values[this.#end] as Uint8Array;
  }

  /** Undefined: there are no more. */
  next(): ChangeEvent | undefined {
    while (this.#at < this.#end) {
      const entry = this.#number();
      if (entry === Entry.transaction) {
        this.#txnId = String(this.#take());
        this.#time = this.#number();
      } else if (entry === Entry.table) {
        this.#tables.push({ name: this.#take() as string, columns: new Columns(this.#takeMany(this.#number()) as string[]) });
      } else {
        return this.#event(entry);
      }
    }
    return undefined;
  }

  #event(entry: number): ChangeEvent {
    const first = this.#tables[this.#number()]!;
    const second = entry === Entry.update ? this.#tables[this.#number()]! : first;
    const common = {
      table: second.name,
      lsn: BigInt(this.#take() as number | bigint),
      txnId: this.#txnId,
      timestamp: new Date(this.#time),
      key: this.#key(),
    };
    const row = this.#row(first);
    switch (entry) {
      case Entry.update: {
        const after = this.#row(second);
        return { type: 'update', op: 'UPDATE', ...common, before: row, after, data: after };
      }
      case Entry.delete:
        return { type: 'delete', op: 'DELETE', ...common, before: row, data: row };
      case Entry.snapshotRow:
        return { type: 'insert', op: 'INSERT', ...common, after: row, data: row, snapshot: true };
      default:
        return { type: 'insert', op: 'INSERT', ...common, after: row, data: row };
    }
  }

  #row(table: Table): Row {
    const row = table.columns.rowOf(this.#values, this.#at);
    this.#at += table.columns.names.length;
    return row;
  }

  #key(): Uint8Array {
    const begin = this.#keyEnd;
    this.#keyEnd = this.#number();
    return this.#keys.slice(begin, this.#keyEnd);
  }

  #take(): unknown {
    return this.#values[this.#at++];
  }

  #number(): number {
    return this.#values[this.#at++] as number;
  }

  #takeMany(count: number): unknown[] {
    this.#at += count;
    return this.#values.slice(this.#at - count, this.#at);
  }
}
