// Who may use a connection now: calls of one handle run in the order of their making, and while a transaction of it
// is open, only those that belong to the transaction do.

import { AsyncLocalStorage } from 'node:async_hooks';
import { aborted, ended, interruptibleRows, rowsOf, signalOf, whenAborted } from './calls.js';
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

// A body that goes on although its transaction is gone must not write elsewhere.
function refuseCutOff(handle: Handle): void {
  for (let body = bodies.getStore(); body !== undefined; body = body.outer) {
    if (body.transaction.isCutOffOf(handle)) throw hasEnded();
  }
}

const hasEnded = () => new DoSQLError('DOSQL_INVALID_ARGUMENT', 'the transaction has ended');

/** What runs SQL: a database, or a transaction of it. */
export abstract class Scope {
  /** @internal */
  protected readonly handle: Handle;
  // The transaction that is open in this one, and the calls that wait for its end.
  #inner: Transaction | undefined;
  readonly #waiting = new Set<() => void>();

  /** @internal */
  constructor(handle: Handle) {
    this.handle = handle;
  }

  /** All rows of a statement. */
  query<T = Row>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<T[]> {
    return this.#rows(Wanted.rows, sql, parameters, options) as Promise<T[]>;
  }

  /** The first row of a statement, or undefined. */
  async queryOne<T = Row>(sql: string, parameters?: Parameters, options?: CallOptions): Promise<T | undefined> {
    return (await this.#rows(Wanted.firstRow, sql, parameters, options))[0] as T | undefined;
  }

  /** Runs a statement, dropping rows. */
  async run(sql: string, parameters?: Parameters, options?: CallOptions): Promise<RunResult> {
    return (await this.#rows(Wanted.runResult, sql, parameters, options))[0] as unknown as RunResult;
  }

  /** Runs all statements of a text one after another, dropping rows; stops at the first failure. */
  async exec(sql: string, options?: CallOptions): Promise<void> {
    await this.#interruptible(() => native.exec(this.handle.number, sql), options);
  }

  /**
   * Begins a transaction, awaits `body`, and commits; rolls back when the body or the commit fails. Calls of the
   * same handle that are not made by the body wait until the transaction has ended. Inside a transaction it is a
   * savepoint, which ends at the latest with the transaction around it.
   */
  transaction<T>(body: (tx: Transaction) => T | Promise<T>): Promise<T> {
    if (typeof body !== 'function') {
      return Promise.reject(new DoSQLError('DOSQL_INVALID_ARGUMENT', 'a transaction needs a function'));
    }
    return this.enter((scope) => scope.#transact(body));
  }

  /** Compiles one statement, to be run on this thread. */
  prepare<T = Row>(sql: string): Statement<T> {
    this.checkUsable();
    return Statement.of<T>(native.prepare(this.handle.number, sql), sql, () => this.checkUsable());
  }

  /** True: a transaction is open. Waits, on this thread, for the asynchronous calls that were made before. */
  get inTransaction(): boolean {
    this.handle.checkOpen();
    return native.inTransaction(this.handle.number);
  }

  /** @internal Makes a call when it is its turn, in the innermost transaction; until then `signal` may end it. */
  protected enter<T>(call: (scope: Scope) => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      this.checkTakesCalls();
      const inner = this.#inner;
      if (inner === undefined) return call(this);
      if (isInBodyOf(inner)) return inner.enter(call, signal);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => {
      // Who waits is not in the body of the transaction that lets it go on.
      const goOn = AsyncLocalStorage.bind(() => {
        forget?.();
        void this.enter(call, signal).then(resolve, reject);
      });
      const forget =
        signal &&
        whenAborted(signal, () => {
          this.#waiting.delete(goOn);
          reject(aborted(signal));
        });
      this.#waiting.add(goOn);
    });
  }

  /** @internal For what waits for its turn. */
  protected checkTakesCalls(): void {
    refuseCutOff(this.handle);
    if (this.handle.runsSynchronously) {
      throw new DoSQLError('DOSQL_BUSY', 'a synchronous transaction of this handle is open', {
        hint: 'make the call behind transactionSync(), or use transaction()',
      });
    }
  }

  /** @internal For what runs at once and cannot wait. */
  protected checkUsable(): void {
    this.handle.checkOpen();
    refuseCutOff(this.handle);
    const inner: Scope | undefined = this.#inner;
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
    return this.#interruptible(start, options);
  }

  #interruptible(start: () => number, options: CallOptions | undefined): Promise<Row[]> {
    try {
      const signal = signalOf(options);
      if (signal === undefined) return this.enter(() => rowsOf(start()));
      return this.enter(() => interruptibleRows(this.handle.number, start, signal), signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #transact<T>(body: (tx: Transaction) => T | Promise<T>): Promise<T> {
    const transaction = Transaction.in(this, this.handle);
    this.#inner = transaction;
    try {
      return await transaction.perform(body);
    } finally {
      this.#inner = undefined;
      while (this.#inner === undefined && this.#waiting.size > 0) this.#wakeFirst();
    }
  }

  #wakeFirst(): void {
    const [first] = this.#waiting;
    this.#waiting.delete(first!);
    first!();
  }

  /** @internal The transaction that is open in this one is none any more; those that wait for it are told. */
  protected endInner(): void {
    this.#inner?.cutOff();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const goOn of waiting) goOn();
  }
}

/** An open transaction. It ends with the body it was made for. */
export class Transaction extends Scope {
  // 0: it is none inside another.
  readonly #depth: number;
  #ended = false;
  // The one around it ended before.
  #cutOff = false;
  #bodyRuns = false;

  private constructor(handle: Handle, depth: number) {
    super(handle);
    this.#depth = depth;
  }

  /** @internal */
  static in(outer: Scope, handle: Handle): Transaction {
    return new Transaction(handle, outer instanceof Transaction ? outer.#depth + 1 : 0);
  }

  /** @internal */
  async perform<T>(body: (tx: Transaction) => T | Promise<T>): Promise<T> {
    await this.#control('begin');
    try {
      if (this.#cutOff) throw hasEnded();
      const result = await this.#run(body);
      this.#end();
      await this.#control('commit');
      return result;
    } catch (error) {
      this.#end();
      // It may have ended the transaction already; the failure that led here is the one to report.
      await this.#control('rollback').catch(() => {});
      throw error;
    }
  }

  async #run<T>(body: (tx: Transaction) => T | Promise<T>): Promise<T> {
    this.#bodyRuns = true;
    try {
      return await bodies.run({ transaction: this, outer: bodies.getStore() }, () => body(this));
    } finally {
      this.#bodyRuns = false;
    }
  }

  async #control(step: 'begin' | 'commit' | 'rollback'): Promise<void> {
    // The savepoint went with the transaction around it; another one may have that name now.
    if (this.#cutOff) throw hasEnded();
    await ended(native.control(this.handle.number, step, this.#depth));
  }

  #end(): void {
    this.#ended = true;
    this.endInner();
  }

  /** @internal */
  cutOff(): void {
    this.#cutOff = true;
    this.#end();
  }

  /** @internal */
  isCutOffOf(handle: Handle): boolean {
    return this.#cutOff && this.#bodyRuns && this.handle === handle;
  }

  /** @internal */
  protected override checkTakesCalls(): void {
    if (this.#ended) throw hasEnded();
    super.checkTakesCalls();
  }

  /** @internal */
  protected override checkUsable(): void {
    if (this.#ended) throw hasEnded();
    super.checkUsable();
  }
}
