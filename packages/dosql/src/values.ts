/**
 * What a parameter may be given. A whole number within 2^53 is an INTEGER, any other number a REAL (NaN is NULL); a
 * bigint is an INTEGER; bytes of any kind, Float32Array included, are a BLOB; a Date is the text that SQLite's date
 * functions write (`2026-01-31 12:00:00.000`, UTC); a boolean is 1 or 0. `undefined` is refused.
 */
export type Value = string | number | bigint | boolean | null | Date | ArrayBufferView | ArrayBuffer;

/** Values in the order of the parameters, values by name (`{ id: 7 }` for `:id`, `@id` or `$id`), or one value. */
export type Parameters = readonly unknown[] | object | Value;

/** What a statement did that changes rows. */
export interface RunResult {
  /** Rows that the statement itself inserted, updated or deleted. */
  changes: number;
  /** The rowid of the newest row that this handle inserted; a bigint beyond 2^53. */
  lastInsertRowId: number | bigint;
}

export interface CallOptions {
  /**
   * Makes the call fail with DOSQL_INTERRUPTED when it is aborted; what the statement did is undone, and where it had
   * begun to write in a transaction, all of that.
   */
  signal?: AbortSignal | undefined;
}
