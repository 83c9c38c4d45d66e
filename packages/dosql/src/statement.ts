import { DoSQLError } from './errors.js';
import { extras, native, report, Report } from './native.js';
import { asArray, asFirstValue, asObject, type Row, type RowMaker, takeRow, takeRows, valueAt } from './rows.js';
import type { RunResult } from './values.js';

const forgotten = new FinalizationRegistry<number>((number) => native.release(number));

// Rows that iterate() has the addon find at once, at first and at most.
const firstBatch = 16;
const mostRows = 4096;

/**
 * A compiled statement. Its methods run at once, on this thread, after the asynchronous calls that the database was
 * given before; each takes the values of the parameters, as `Parameters` says, or several values in a row.
 */
export class Statement<T = Row> {
  /** The SQL. */
  readonly source: string;
  readonly #number: number;
  readonly #check: () => void;
  #make: RowMaker<unknown> = asObject;
  #iterates = false;

  private constructor(number: number, sql: string, check: () => void) {
    this.#number = number;
    this.source = sql;
    this.#check = check;
    forgotten.register(this, number);
  }

  /** @internal */
  static of<T>(number: number, sql: string, check: () => void): Statement<T> {
    return new Statement<T>(number, sql, check);
  }

  /** False: it may change the database. */
  get readonly(): boolean {
    this.#check();
    return native.readOnly(this.#number);
  }

  /** True: it gives rows. */
  get reader(): boolean {
    return this.columns().length > 0;
  }

  /** The names of the columns. */
  columns(): string[] {
    this.#check();
    return native.columns(this.#number);
  }

  /** The first row, or undefined. */
  get(...parameters: unknown[]): T | undefined {
    this.#begin();
    const text = native.get(this.#number, ...parameters);
    if (text !== undefined) extras[report[Report.textPlace]!] = text;
    return takeRow(this.#make as RowMaker<T>);
  }

  /** All rows. */
  all(...parameters: unknown[]): T[] {
    this.#begin();
    const rows: T[] = [];
    native.all(this.#number, ...parameters);
    while (takeRows(this.#make as RowMaker<T>, rows)) native.fetch(this.#number, mostRows);
    return rows;
  }

  /** Runs it to its end, dropping rows. */
  run(...parameters: unknown[]): RunResult {
    this.#begin();
    native.run(this.#number, ...parameters);
    return { changes: valueAt(0) as number, lastInsertRowId: valueAt(1) as number | bigint };
  }

  /**
   * Row after row. The statement cannot be used otherwise before the loop has ended. What other handles commit
   * meanwhile is not seen; what the loop's own handle writes may be.
   */
  *iterate(...parameters: unknown[]): Generator<T, void, undefined> {
    this.#begin();
    native.start(this.#number, ...parameters);
    this.#iterates = true;
    let more = true;
    try {
      for (let most = firstBatch; more; most = Math.min(2 * most, mostRows)) {
        this.#check();
        const rows: T[] = [];
        native.fetch(this.#number, most);
        more = takeRows(this.#make as RowMaker<T>, rows);
        yield* rows;
      }
    } finally {
      this.#iterates = false;
      if (more) native.stop(this.#number);
    }
  }

  /** From now on rows are arrays. */
  raw(on = true): Statement<unknown[]> {
    this.#make = on ? asArray : asObject;
    return this as unknown as Statement<unknown[]>;
  }

  /** From now on a row is the value of its first column. */
  pluck(on = true): Statement<any> {
    this.#make = on ? asFirstValue : asObject;
    return this as unknown as Statement<any>;
  }

  #begin(): void {
    this.#check();
    if (this.#iterates) {
      throw new DoSQLError('DOSQL_INVALID_ARGUMENT', 'a loop over the statement has not ended', { sql: this.source });
    }
  }
}
