// The TypeScript package against better-sqlite3, both on disk and without a sync for each commit (WAL and NORMAL on
// their side), in one process and one run.
//
//   node_bench.ts [--rounds N] [--filter NAME] [--quick] [--directory DIR] [--json FILE]

import { createRequire } from 'node:module';
import path from 'node:path';
import { createCDC } from '../../packages/dosql/dist/cdc.js';
import { DB } from '../../packages/dosql/dist/index.js';
import { compare, finish, folder, rate, scaled } from './harness.ts';

const require = createRequire(path.resolve(import.meta.dirname, '../../third_party/package.json'));
const Better = require('better-sqlite3');

const rows = 100_000;
const table = 'CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price REAL, count INTEGER)';
const fill = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
  INSERT INTO items SELECT i, 'item number ' || i, i * 1.25, i % 97 FROM n`;
const insertSql = 'INSERT INTO written (name, price) VALUES (?, ?)';

const db = await DB('bench', { dataFolder: folder });
await db.exec(`PRAGMA synchronous = NORMAL; ${table}; ${fill}; CREATE TABLE written (id INTEGER PRIMARY KEY, name TEXT, price REAL)`);

const better = new Better(path.join(folder, 'better.sqlite'));
better.pragma('journal_mode = WAL');
better.pragma('synchronous = NORMAL');
better.exec(`${table}; ${fill}; CREATE TABLE written (id INTEGER PRIMARY KEY, name TEXT, price REAL)`);

// What both have in common: prepare() and statements with the same methods.
type Side = { prepare(sql: string): any };

function byKey(side: Side) {
  const statement = side.prepare('SELECT * FROM items WHERE id = ?');
  const count = scaled(200_000);
  let key = 1;
  return () =>
    rate(() => {
      for (let n = 0; n < count; ++n) {
        key = (key * 48271) % 2147483647;
        if (statement.get((key % rows) + 1).count === undefined) throw new Error('no row');
      }
      return count;
    });
}

// Without the locks that SQLite takes on its file for each statement of its own.
function byKeyInTransaction(side: Side) {
  const get = byKey(side);
  const begin = side.prepare('BEGIN');
  const commit = side.prepare('COMMIT');
  return async () => {
    begin.run();
    const result = await get();
    commit.run();
    return result;
  };
}

function all(side: Side) {
  const statement = side.prepare('SELECT * FROM items LIMIT 10000');
  const times = scaled(20);
  return () =>
    rate(() => {
      for (let n = 0; n < times; ++n) {
        if (statement.all().length !== 10_000) throw new Error('rows are missing');
      }
      return times * 10_000;
    });
}

function iterate(side: Side) {
  const statement = side.prepare('SELECT * FROM items');
  return () =>
    rate(() => {
      let sum = 0;
      let count = 0;
      for (const row of statement.iterate()) {
        sum += row.count;
        ++count;
      }
      if (count !== rows || sum === 0) throw new Error('rows are missing');
      return count;
    });
}

function inserts(side: Side, inTransaction: (body: () => void) => void) {
  const statement = side.prepare(insertSql);
  const empty = side.prepare('DELETE FROM written');
  const count = 10_000;
  return async () => {
    const result = await rate(() => {
      inTransaction(() => {
        for (let n = 0; n < count; ++n) statement.run(`name ${n}`, n / 3);
      });
      return count;
    });
    empty.run();
    return result;
  };
}

function commits(side: Side) {
  const statement = side.prepare(insertSql);
  const empty = side.prepare('DELETE FROM written');
  const count = scaled(10_000);
  return async () => {
    const result = await rate(() => {
      for (let n = 0; n < count; ++n) statement.run(`name ${n}`, n / 3);
      return count;
    });
    empty.run();
    return result;
  };
}

async function awaited(): Promise<number> {
  const count = scaled(60_000);
  return rate(async () => {
    let next = 0;
    const worker = async () => {
      while (next < count) {
        const [row] = await db.query('SELECT * FROM items WHERE id = ?', [(++next % rows) + 1]);
        if (row === undefined) throw new Error('no row');
      }
    };
    await Promise.all(Array.from({ length: 64 }, worker));
    return count;
  });
}

const rowsOfCommit = 100;
const commitRows = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rowsOfCommit})
  INSERT INTO written (name, price) SELECT 'name ' || i, i / 3.0 FROM n`;

async function commitChanges(commits: number): Promise<void> {
  const insert = db.prepare(commitRows);
  for (let n = 0; n < commits; ++n) insert.run();
}

// Takes `count` inserts behind an LSN.
async function takeChanges(fromLSN: bigint, count: number): Promise<number> {
  let taken = 0;
  for await (const change of createCDC(db).subscribe(fromLSN, { filter: { operations: ['INSERT'] } })) {
    if (change.after!['name'] === undefined) throw new Error('no row');
    if (++taken === count) break;
  }
  return taken;
}

async function changes(): Promise<number> {
  const { lsn } = await db.resolve();
  const commits = scaled(2_000);
  await commitChanges(commits);
  const result = await rate(() => takeChanges(lsn, commits * rowsOfCommit));
  await db.run('DELETE FROM written');
  return result;
}

// While they are committed.
async function liveChanges(): Promise<number> {
  const { lsn } = await db.resolve();
  const commits = scaled(2_000);
  const result = await rate(async () => {
    const taken = takeChanges(lsn, commits * rowsOfCommit);
    for (let n = 0; n < commits; n += 20) await Promise.all(Array.from({ length: 20 }, () => db.run(commitRows)));
    return taken;
  });
  await db.run('DELETE FROM written');
  return result;
}

await compare({ name: 'node-get', what: 'prepare().get() by key', unit: 'rows/s', ratioMin: 1 }, byKey(db), byKey(better));
await compare({ name: 'node-get-in-transaction', what: '— in a transaction', unit: 'rows/s', ratioMin: 1 }, byKeyInTransaction(db), byKeyInTransaction(better));
await compare({ name: 'node-all', what: 'prepare().all() of 10,000 rows', unit: 'rows/s', ratioMin: 1 }, all(db), all(better));
await compare({ name: 'node-iterate', what: 'iterate() over 100,000 rows', unit: 'rows/s', ratioMin: 1 }, iterate(db), iterate(better));
await compare(
  { name: 'node-inserts', what: 'a transaction of 10,000 inserts', unit: 'rows/s', ratioMin: 1 },
  inserts(db, (body) => db.transactionSync(body)),
  inserts(better, (body) => better.transaction(body)()),
);
await compare({ name: 'node-commits', what: 'prepare().run(), a commit each', unit: 'commits/s', ratioMin: 3 }, commits(db), commits(better));
await compare({ name: 'node-await', what: 'await query() of a row, 64 in flight', unit: 'calls/s', least: 60_000 }, awaited);

await compare({ name: 'node-changes', what: 'for await over 200,000 changes', unit: 'events/s', least: 150_000 }, changes);
await compare({ name: 'node-changes-live', what: '— while they are committed, 100 at a time', unit: 'events/s', least: 150_000 }, liveChanges);

await db.close();
better.close();
finish();
