// Migrations: each file once, and nothing silently.

import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { DB, type ErrorCode, MigrationError } from '@dotdo/dosql';
import { dataFolder, fails, openDatabase, temporaryFolder } from './support.ts';

let databases = 0;

function project(files: Record<string, string>) {
  const folder = temporaryFolder();
  const name = `migrated${++databases}`;
  const write = (more: Record<string, string>) => {
    for (const [file, sql] of Object.entries(more)) writeFileSync(path.join(folder, file), sql);
  };
  write(files);
  return {
    write,
    remove: (file: string) => rmSync(path.join(folder, file)),
    open: () => openDatabase({ name, migrations: { folder } }),
    openPlain: () => openDatabase({ name }),
    refused: (message: RegExp, code: ErrorCode = 'DOSQL_INVALID_ARGUMENT') =>
      assert.rejects(DB(name, { dataFolder, migrations: { folder } }), (error) => {
        assert.ok(error instanceof MigrationError, `${error}`);
        return fails(code, message)(error);
      }),
  };
}

const users = 'CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT);';
const orders = 'CREATE TABLE orders (id INTEGER PRIMARY KEY, user REFERENCES users);\nINSERT INTO users (name) VALUES (1);';

test('files run in the order of their numbers, each once and as a version of its own', async () => {
  const { open, write } = project({ '10_orders.sql': orders, '9_users.sql': users, 'README.md': 'not SQL' });
  const db = await open();
  assert.deepEqual(await db.query('SELECT number, file FROM dosql_migrations'), [
    { number: 9, file: '9_users.sql' },
    { number: 10, file: '10_orders.sql' },
  ]);
  assert.equal((await db.resolve()).version, 2);
  await db.close();
  write({ '11_more.sql': 'INSERT INTO users (name) VALUES (2)' });
  const again = await open();
  assert.deepEqual(await again.query('SELECT count(*) AS n FROM users'), [{ n: 2 }]);
  const third = await open();
  assert.equal((await third.resolve()).version, 3);
});

test('a file that was changed or is missing after it ran is an error; line ends do not count', async () => {
  const { open, write, remove, refused } = project({ '1_users.sql': users, '2_orders.sql': orders });
  await (await open()).close();
  write({ '2_orders.sql': orders.replaceAll('\n', '\r\n') });
  await (await open()).close();
  write({ '2_orders.sql': `${orders} -- changed` });
  await refused(/^migration 2_orders\.sql: was changed after it had run/);
  remove('2_orders.sql');
  await refused(/^migration 2_orders\.sql: has run, but its file is missing/);
});

test('a file that fails changes nothing, and says where', async () => {
  const { open, write, refused } = project({ '1_users.sql': users, '2_bad.sql': 'CREATE TABLE a (x);\nSELEC 1;' });
  await refused(/^migration 2_bad\.sql: .*syntax/, 'DOSQL_SQL');
  const plain = await DB('migrated-bad', { dataFolder });
  await plain.close();
  write({ '2_bad.sql': 'CREATE TABLE a (x);' });
  const db = await open();
  assert.deepEqual(await db.query('SELECT count(*) AS n FROM dosql_migrations'), [{ n: 2 }]);
});

test('a file with its own transaction is refused by SQLite, and rolled back', async () => {
  const { refused, openPlain } = project({ '1_a.sql': 'CREATE TABLE a (x); BEGIN; CREATE TABLE b (x); COMMIT;' });
  await refused(/^migration 1_a\.sql: .*transaction/, 'DOSQL_SQL');
  assert.deepEqual(await (await openPlain()).query('SELECT name FROM sqlite_schema'), []);
});

test('numbers must be there, differ, and not come too late', async () => {
  await project({ 'users.sql': users }).refused(/begin with a number/);
  await project({ '1_a.sql': users, '01_b.sql': orders }).refused(/same number/);
  const late = project({ '2_users.sql': users });
  await (await late.open()).close();
  late.write({ '1_early.sql': 'SELECT 1' });
  await late.refused(/^migration 1_early\.sql: did not run, but 2_users\.sql/);
});

test('a folder that is not there', async () => {
  await assert.rejects(
    DB('nofolder', { dataFolder, migrations: { folder: path.join(dataFolder, 'nothing') } }),
    fails('DOSQL_NOT_FOUND', /folder of migrations/),
  );
});

test('handles that open at the same time run each file once', async () => {
  const { open } = project({ '1_users.sql': users, '2_orders.sql': orders });
  const opened = await Promise.all([open(), open(), open()]);
  assert.deepEqual(await opened[0]!.query('SELECT count(*) AS n FROM users'), [{ n: 1 }]);
});

test('a migration that would end its transaction, and files that cannot be read', async () => {
  const cases: [(folder: string) => void, RegExp][] = [
    [(folder) => writeFileSync(path.join(folder, '0001_a.sql'), 'CREATE TABLE a (x); COMMIT; CREATE TABLE b (x)'), /0001_a.sql.*cannot end/],
    [(folder) => writeFileSync(path.join(folder, '0001_a.sql'), 'CREATE TABLE a (x); ROLLBACK'), /0001_a.sql.*cannot end/],
    [(folder) => writeFileSync(path.join(folder, '0001_a.sql'), 'CREATE TABLE a (x); COMMIT; BEGIN;'), /0001_a.sql.*cannot end/],
    [(folder) => mkdirSync(path.join(folder, '0001_a.sql')), /0001_a.sql.*no file of text/],
    [(folder) => writeFileSync(path.join(folder, '0001_a.SQL'), Buffer.from("SELECT '\xe4'", 'latin1')), /0001_a.SQL.*no file of text/],
  ];
  for (const [index, [make, why]] of cases.entries()) {
    const folder = temporaryFolder();
    make(folder);
    const name = `refused${index}`;
    await assert.rejects(DB(name, { dataFolder, migrations: { folder } }), (error: unknown) => {
      assert.ok(error instanceof MigrationError && why.test(error.message), `${error}`);
      return true;
    });
    const db = await openDatabase({ name });
    assert.deepEqual(await db.query('SELECT name FROM sqlite_schema'), []);
  }
  const wrong: any[] = [null, {}, { folder: 5 }, { folder: '.', files: [] }];
  for (const migrations of wrong) await assert.rejects(DB('refused', { dataFolder, migrations }), fails('DOSQL_INVALID_ARGUMENT'));
});
