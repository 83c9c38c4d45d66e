// Who may use a connection now: calls of one handle run in the order of their making, and while a transaction of it
// is open, only those that belong to the transaction do.

import { AsyncLocalStorage } from 'node:async_hooks';
import { ended, interruptibleRows } from './calls.js';
import { DoSQLError } from './errors.js';
import type { Handle } from './handle.js';
import { native, Wanted } from './native.js';
import type { Row } from './rows.js';
import { Statement } from './statement.js';
import type { CallOptions, Parameters, RunResult } from './values.js';

// The transactions in whose bodies the running code is, the innermost first.
interface Bodies {
  readonly transaction: Transaction;
  readonly outer: Bodies | undefined;
}
const bodies = new AsyncLocalStorage<Bodies>();

function isInBodyOf(transaction: Scope): boolean {
  for (let body = bodies.getStore(); body !== undefined; body = body.outer) {
    if (body.transaction === transaction) return true;
  }
  return false;
}

/** What runs SQL: a database, or a transaction of it. */
export abstract class Scope {
  /** @internal */
  protected readonly handle: Handle;
  // The transaction that is open in this one, and the calls that wait for its end.
  #inner: Scope | undefined;
  readonly #waiting: (() => void)[] = [];

  /** @internal */
  constructor(handle: Handle) {
    this.handle = handle;
  }

  /** All rows of a statement. */
  query<T = Row>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<T[]> {
    return this.enter(() => this.#rows(Wanted.rows, sql, parameters, options) as Promise<T[]>);
  }

  /** The first row of a statement, or undefined. */
  queryOne<T = Row>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<T | undefined> {
    return this.enter(async () => (await this.#rows(Wanted.firstRow, sql, parameters, options))[0] as T | undefined);
  }

  /** Runs a statement, dropping rows. */
  run(sql: string, parameters?: Parameters, options?: CallOptions): Promise<RunResult> {
    return this.enter(
      async () => (await this.#rows(Wanted.runResult, sql, parameters, options))[0] as unknown as RunResult,
    );
  }

  /** Runs all statements of a text one after another, dropping rows; stops at the first failure. */
  exec(sql: string, options?: CallOptions): Promise<void> {
    return this.enter(async () => {
      await interruptibleRows(this.handle.number, () => native.exec(this.handle.number, sql), options?.signal);
    });
  }

  /**
   * Begins a transaction, awaits `body`, and commits; rolls back when the body or the commit fails. Calls of the
   * same handle that are not made by the body wait until the transaction has ended. Inside a transaction it is a
   * savepoint.
   */
  transaction<T>(body: (tx: Transaction) => T | Promise<T>): Promise<T> {
    if (typeof body !== 'function') {
      return Promise.reject(new DoSQLError('DOSQL_INVALID_ARGUMENT', 'a transaction needs a function'));
    }
    return this.enter(() => this.#transact(body));
  }

  /** Compiles one statement, to be run on this thread. */
  prepare<T = Row>(sql: string): Statement<T> {
    this.checkUsable();
    return new Statement<T>(native.prepare(this.handle.number, sql), sql, () => this.checkUsable());
  }

  /** True: a transaction is open. Waits, on this thread, for the asynchronous calls that were made before. */
  get inTransaction(): boolean {
    this.handle.checkOpen();
    return native.inTransaction(this.handle.number);
  }

  /** @internal Makes a call when it is its turn. */
  protected enter<T>(call: () => Promise<T>): Promise<T> {
    const inner = this.#inner;
    try {
      if (inner === undefined) return this.start(call);
      if (isInBodyOf(inner)) return inner.enter(call);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      // Who waits is not in the body of the transaction that lets it go on.
      this.#waiting.push(AsyncLocalStorage.bind(() => void this.enter(call).then(resolve, reject)));
    });
  }

  /** @internal */
  protected start<T>(call: () => Promise<T>): Promise<T> {
    return call();
  }

  /** @internal For what runs at once and cannot wait. */
  protected checkUsable(): void {
    this.handle.checkOpen();
    const inner = this.#inner;
    if (inner === undefined) return;
    if (isInBodyOf(inner)) return inner.checkUsable();
    throw new DoSQLError('DOSQL_BUSY', 'a transaction of this handle is open', {
      hint: 'await its end, or open another handle of the database',
    });
  }

  #rows(wanted: Wanted, sql: string, parameters: Parameters | undefined, options?: CallOptions): Promise<Row[]> {
    const { number } = this.handle;
    const start =
      parameters === undefined
        ? () => native.query(number, wanted, sql)
        : () => native.query(number, wanted, sql, parameters);
    return interruptibleRows(number, start, options?.signal);
  }

  async #transact<T>(body: (tx: Transaction) => T | Promise<T>): Promise<T> {
    const transaction = new Transaction(this.handle, this instanceof Transaction ? this : undefined);
    this.#inner = transaction;
    try {
      return await transaction.perform(body);
    } finally {
      this.#inner = undefined;
      while (this.#inner === undefined && this.#waiting.length > 0) this.#waiting.shift()!();
    }
  }
}

/** An open transaction. It ends with the body it was made for. */
export class Transaction extends Scope {
  readonly #depth: number;
  #ended = false;

  /** @internal */
  constructor(handle: Handle, outer: Transaction | undefined) {
    super(handle);
    this.#depth = outer === undefined ? 0 : outer.#depth + 1;
  }

  /** @internal */
  async perform<T>(body: (tx: Transaction) => T | Promise<T>): Promise<T> {
    const savepoint = `dosql_transaction_${this.#depth}`;
    const outermost = this.#depth === 0;
    await this.#control(outermost ? 'BEGIN IMMEDIATE' : `SAVEPOINT ${savepoint}`);
    try {
      const result = await bodies.run({ transaction: this, outer: bodies.getStore() }, () => body(this));
      this.#ended = true;
      await this.#control(outermost ? 'COMMIT' : `RELEASE ${savepoint}`);
      return result;
    } catch (error) {
      this.#ended = true;
      // It may have ended the transaction already; the failure that led here is the one to report.
      await this.#control(outermost ? 'ROLLBACK' : `ROLLBACK TO ${savepoint}; RELEASE ${savepoint}`).catch(() => {});
      throw error;
    }
  }

  #control(sql: string): Promise<void> {
    return ended(native.exec(this.handle.number, sql));
  }

  /** @internal */
  protected override start<T>(call: () => Promise<T>): Promise<T> {
    this.checkUsable();
    return call();
  }

  /** @internal */
  protected override checkUsable(): void {
    if (this.#ended) throw new DoSQLError('DOSQL_INVALID_ARGUMENT', 'the transaction has ended');
    super.checkUsable();
  }
}
