// A handle of the addon: a connection to a database.

import { ended, rowsOf } from './calls.js';
import { DoSQLError } from './errors.js';
import { native } from './native.js';

// Handles whose objects were forgotten without close().
const forgotten = new FinalizationRegistry<number>((number) => {
  rowsOf(native.close(number)).catch(() => {});
});

export class Handle {
  readonly number: number;
  #closing: Promise<void> | undefined;
  /** The body of a synchronous transaction runs. */
  runsSynchronously = false;

  private constructor(number: number) {
    this.number = number;
    forgotten.register(this, number, this);
  }

  /** A handle that `start` opens. */
  static async opened(start: (number: number) => number): Promise<Handle> {
    const number = native.makeHandle();
    try {
      await rowsOf(start(number));
    } catch (error) {
      await ended(native.close(number));
      throw error;
    }
    return new Handle(number);
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  checkOpen(): void {
    if (this.closed) throw new DoSQLError('DOSQL_INVALID_ARGUMENT', 'the database is closed');
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      forgotten.unregister(this);
      this.#closing = ended(native.close(this.number));
    }
    return this.#closing;
  }
}
