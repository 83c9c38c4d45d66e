// Migrations: SQL files with numbers, each run once, in their order, in a transaction of its own.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { DoSQLError, MigrationError } from './errors.js';
import { checkOptions, refuse } from './options.js';
import type { Scope } from './scope.js';

export interface MigrationOptions {
  /** The folder of the files: `0001_users.sql`, `0002_orders.sql`, ... */
  folder: string;
}

interface Migration {
  number: number;
  file: string;
  sql: string;
  checksum: string;
}

/** What ran: a row of the table dosql_migrations. */
interface Applied {
  number: number;
  file: string;
  checksum: string;
}

const createTable = `CREATE TABLE IF NOT EXISTS dosql_migrations (
  number INTEGER PRIMARY KEY,
  file TEXT NOT NULL,
  checksum TEXT NOT NULL,
  applied TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
)`;

function refuseFile(file: string, message: string, hint?: string): never {
  throw new MigrationError(file, 'DOSQL_INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
}

// Line ends may differ between checkouts of the same file.
function checksumOf(sql: string): string {
  return createHash('sha256').update(sql.replaceAll('\r\n', '\n')).digest('hex');
}

function readText(folder: string, file: string): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return text.decode(readFileSync(path.join(folder, file)));
  } catch (cause) {
    throw new MigrationError(file, 'DOSQL_INVALID_ARGUMENT', 'it is no file of text in UTF-8', { cause });
  }
}

function readFolder(folder: string): Migration[] {
  let files: string[];
  try {
    files = readdirSync(folder);
  } catch (cause) {
    throw new DoSQLError('DOSQL_NOT_FOUND', `the folder of migrations '${folder}' cannot be read`, { cause });
  }
  const migrations = files
    .filter((file) => file.toLowerCase().endsWith('.sql'))
    .map((file): Migration => {
      const number = Number(/^(\d+)[-_.]/.exec(file)?.[1] ?? refuseFile(file, 'its name must begin with a number, as 0001_'));
      if (!Number.isSafeInteger(number)) refuseFile(file, 'its number is too large');
      const sql = readText(folder, file);
      return { number, file, sql, checksum: checksumOf(sql) };
    })
    .sort((a, b) => a.number - b.number);
  migrations.forEach((migration, index) => {
    const before = migrations[index - 1];
    if (before?.number === migration.number) refuseFile(migration.file, `has the same number as ${before.file}`);
  });
  return migrations;
}

// Those that still have to run.
function pendingOf(migrations: Migration[], applied: Applied[]): Migration[] {
  for (const ran of applied) {
    const migration = migrations.find(({ number }) => number === ran.number);
    if (migration === undefined) refuseFile(ran.file, 'has run, but its file is missing');
    if (migration.checksum !== ran.checksum) {
      refuseFile(migration.file, 'was changed after it had run', 'put the file back, and make a new one for the change');
    }
  }
  const newest = applied.at(-1);
  const pending = migrations.filter(({ number }) => !applied.some((ran) => ran.number === number));
  if (newest !== undefined && pending[0] !== undefined && pending[0].number < newest.number) {
    refuseFile(pending[0].file, `did not run, but ${newest.file}, which comes behind it, did`);
  }
  return pending;
}

function readApplied(scope: Scope): Promise<Applied[]> {
  return scope.query<Applied>('SELECT number, file, checksum FROM dosql_migrations ORDER BY number');
}

async function hasTable(scope: Scope): Promise<boolean> {
  return (await scope.queryOne("SELECT 1 FROM sqlite_schema WHERE name = 'dosql_migrations'")) !== undefined;
}

/** Runs what has not run yet. */
export async function migrate(database: Scope, options: MigrationOptions): Promise<void> {
  const { folder } = checkOptions(options, { folder: true }, 'migrations');
  if (typeof folder !== 'string') refuse('the folder of migrations must be a path');
  const migrations = readFolder(folder);
  const applied = (await hasTable(database)) ? await readApplied(database) : [];
  for (const migration of pendingOf(migrations, applied)) {
    await database.transaction(async (tx) => {
      await tx.exec(createTable);
      // Another handle may have been faster.
      if (!pendingOf(migrations, await readApplied(tx)).includes(migration)) return;
      await runFile(tx, migration);
    });
  }
}

async function runFile(tx: Scope, { number, file, sql, checksum }: Migration): Promise<void> {
  try {
    await tx.exec(sql);
  } catch (error) {
    if (!(error instanceof DoSQLError)) throw error;
    const { code, message, hint, sqliteCode, offset } = error;
    throw new MigrationError(file, code, message, {
      cause: error,
      sql,
      ...(hint === undefined ? {} : { hint }),
      ...(offset === undefined ? {} : { offset }),
      ...(sqliteCode === undefined ? {} : { sqliteCode }),
    });
  }
  await tx.run('INSERT INTO dosql_migrations (number, file, checksum) VALUES (?, ?, ?)', [number, file, checksum]);
}
