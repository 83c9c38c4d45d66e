// What the tests share.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { type Database, type DatabaseOptions, DB, DoSQLError, type ErrorCode } from '@dotdo/dosql';

/** A folder that is gone after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'dosql-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The databases of the file. */
export const dataFolder = temporaryFolder();
let made = 0;

/** A new database, or another handle of an old one. */
export async function openDatabase(options: DatabaseOptions & { name?: string } = {}): Promise<Database> {
  const { name = `db${++made}`, ...rest } = options;
  const db = await DB(name, { dataFolder, ...rest });
  after(() => db.close());
  return db;
}

/** For assert.rejects and assert.throws. */
export function fails(code: ErrorCode, message: RegExp = /./): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof DoSQLError)) throw error;
    if (error.code !== code || !message.test(error.message)) {
      throw new Error(`not ${code} with ${message}, but ${error.code}: ${error.message}`);
    }
    return true;
  };
}

/** The folder of the repository. */
export const repository = path.resolve(import.meta.dirname, '../../..');
/** The addon that is being tested. */
export const addonFile = path.resolve(import.meta.dirname, '../dist/dosql.node');

/** Does the work. `longest`: milliseconds for which JavaScript's thread had no time for a timer. */
export async function longestPauseDuring<T>(work: () => Promise<T>): Promise<{ result: T; longest: number }> {
  let longest = 0;
  let last = performance.now();
  const look = () => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  };
  const timer = setInterval(look, 1);
  try {
    const result = await work();
    look();
    return { result, longest };
  } finally {
    clearInterval(timer);
  }
}
