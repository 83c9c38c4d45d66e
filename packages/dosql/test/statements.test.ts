// Synchronous statements, as users of better-sqlite3 know them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { dataFolder, fails, openDatabase } from './support.ts';

const db = await openDatabase();
await db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t SELECT i, 'v' || i FROM n`);

test('get, all, run', () => {
  const get = db.prepare('SELECT * FROM t WHERE id = ?');
  assert.deepEqual(get.get(7), { id: 7, v: 'v7' });
  assert.deepEqual(get.get([8]), { id: 8, v: 'v8' });
  assert.equal(get.get(0), undefined);
  assert.equal(db.prepare('SELECT * FROM t').all().length, 1000);
  assert.deepEqual(db.prepare('SELECT * FROM t WHERE id > 999').all(), [{ id: 1000, v: 'v1000' }]);
  assert.deepEqual(db.prepare('UPDATE t SET v = v WHERE id <= ?').run(3).changes, 3);
  assert.deepEqual(db.prepare('SELECT ?, ?, ?').raw().get(1, 'b', null), [1, 'b', null]);
  const seventeen = Array.from({ length: 17 }, (_, index) => index);
  assert.deepEqual(db.prepare(`SELECT ${seventeen.map(() => '?').join()}`).raw().get(...seventeen), seventeen);
});

test('a getter of the parameters may run statements', () => {
  const get = db.prepare('SELECT id, v, $b AS b FROM t WHERE id = $id');
  const parameters = {
    get b(): string {
      return get.get({ id: 5, b: 'inner' })!['b'] + db.prepare('SELECT ? || ?').pluck().get('a', 'b');
    },
    id: 7,
  };
  assert.deepEqual(get.get(parameters), { id: 7, v: 'v7', b: 'innerab' });
  assert.deepEqual(get.all(parameters), [{ id: 7, v: 'v7', b: 'innerab' }]);
});

test('texts and BLOBs of one row, in whatever order', () => {
  const blob = new Uint8Array([1]);
  const long = 'l'.repeat(300);
  const row = db.prepare(`SELECT ?, 'short', ?, 'ü', x'01', 'end', NULL, ?`).raw().get(blob, long, 'x'.repeat(250));
  assert.deepEqual(row, [blob, 'short', long, 'ü', blob, 'end', null, 'x'.repeat(250)]);
  const many = Array.from({ length: 40 }, (_, index) => String(index).repeat(100));
  assert.deepEqual(db.prepare(`SELECT ${many.map(() => '?').join()}`).raw().get(many), many);
});

test('raw and pluck', () => {
  const statement = db.prepare('SELECT id, v FROM t WHERE id < 3 ORDER BY id');
  assert.deepEqual(statement.raw().all(), [[1, 'v1'], [2, 'v2']]);
  assert.deepEqual(statement.pluck().all(), [1, 2]);
  assert.deepEqual(statement.pluck(false).all(), [{ id: 1, v: 'v1' }, { id: 2, v: 'v2' }]);
  assert.deepEqual([...statement.raw().iterate()], [[1, 'v1'], [2, 'v2']]);
});

// Rows of columns that come often are made by code that was compiled for them.
const oddColumns = `SELECT i, 'a' AS "__proto__", i * 2 AS "a b", 'c' AS "quote "" and \\ and \u2028", 1 AS "0", NULL AS i, i AS constructor
  FROM (SELECT id AS i FROM t WHERE id <= 300)`;

test('the first row and the three hundredth are made alike', () => {
  const rows = db.prepare(oddColumns).all();
  assert.equal(rows.length, 300);
  for (const [at, row] of rows.entries()) {
    const id = at + 1;
    assert.deepEqual(Object.entries(row), [
      ['0', 1],
      ['i', null],
      ['__proto__', 'a'],
      ['a b', id * 2],
      ['quote " and \\ and \u2028', 'c'],
      ['constructor', id],
    ]);
    assert.equal(Object.getPrototypeOf(row), Object.prototype);
  }
});

test('where code may not be made of text, rows are the same', () => {
  const done = spawnSync(process.execPath, ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', `
    import { DB } from '@dotdo/dosql';
    const db = await DB('strict', { dataFolder: ${JSON.stringify(dataFolder)} });
    await db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO t SELECT i FROM n');
    process.stdout.write(JSON.stringify(db.prepare(${JSON.stringify(oddColumns)}).all()));
    await db.close();`], { cwd: path.join(import.meta.dirname, '..'), encoding: 'utf8' });
  assert.equal(done.stderr, '');
  assert.equal(done.stdout, JSON.stringify(db.prepare(oddColumns).all()));
});

test('what a statement tells of itself', () => {
  const select = db.prepare('SELECT id, v AS w FROM t');
  assert.deepEqual(select.columns(), ['id', 'w']);
  assert.deepEqual([select.reader, select.readonly, select.source], [true, true, 'SELECT id, v AS w FROM t']);
  const write = db.prepare('DELETE FROM t WHERE 0');
  assert.deepEqual([write.reader, write.readonly, write.columns()], [false, false, []]);
});

test('iterate: every row once, however it is left', () => {
  const statement = db.prepare('SELECT id FROM t ORDER BY id').pluck();
  assert.deepEqual([...statement.iterate()], Array.from({ length: 1000 }, (_, index) => index + 1));
  for (const id of statement.iterate()) {
    if (id === 20) break;
  }
  assert.throws(() => {
    for (const id of statement.iterate()) {
      if (id === 3) throw new Error('out of the loop');
    }
  }, /out of the loop/);
  assert.equal(statement.get(), 1, 'the statement is free again');
  assert.deepEqual([...db.prepare('SELECT 1 WHERE 0').iterate()], []);
  statement.iterate(); // never begun: nothing is in use
  assert.equal(statement.get(), 1);
});

test('a statement is not used while a loop over it runs; others are', () => {
  const statement = db.prepare('SELECT id FROM t').pluck();
  const insert = db.prepare('INSERT INTO t (v) VALUES (?)');
  let rows = 0;
  for (const id of statement.iterate()) {
    if (id === 1) assert.throws(() => statement.get(), fails('DOSQL_INVALID_ARGUMENT', /loop/));
    if (id <= 1000 && id % 100 === 0) insert.run('more');
    ++rows;
  }
  assert.ok(rows >= 1000);
  db.prepare('DELETE FROM t WHERE id > 1000').run();
});

test('a statement follows the schema', async () => {
  const own = await openDatabase();
  await own.exec('CREATE TABLE s (a); INSERT INTO s VALUES (1)');
  const statement = own.prepare('SELECT * FROM s');
  assert.deepEqual(statement.get(), { a: 1 });
  await own.exec('ALTER TABLE s ADD COLUMN b DEFAULT 2');
  assert.deepEqual(statement.get(), { a: 1, b: 2 });
  assert.deepEqual(statement.all(), [{ a: 1, b: 2 }]);
  await own.exec('DROP TABLE s');
  assert.throws(() => statement.get(), fails('DOSQL_SQL', /no such table/));
  await own.exec('CREATE TABLE s (c)');
  assert.deepEqual(statement.all(), []);
  assert.deepEqual(statement.columns(), ['c']);
});

test('SQL errors at preparing and at running', () => {
  assert.throws(() => db.prepare('SELEC 1'), fails('DOSQL_SQL', /syntax/));
  assert.throws(() => db.prepare('  -- nothing'), fails('DOSQL_INVALID_ARGUMENT', /no statement/));
  assert.throws(() => db.prepare('SELECT 1; SELECT 2'), fails('DOSQL_INVALID_ARGUMENT', /more than one/));
  const fails_late = db.prepare("SELECT json_extract(v, '$') FROM t WHERE id = ?");
  assert.throws(() => fails_late.all(1), fails('DOSQL_SQL', /JSON/));
  assert.throws(() => [...fails_late.iterate(1)], fails('DOSQL_SQL', /JSON/));
  assert.deepEqual(fails_late.all(0), []);
});

test('statements that are forgotten are released', async () => {
  for (let round = 0; round < 5_000; ++round) db.prepare(`SELECT ${round}`).get();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(db.prepare('SELECT 1 AS one').get(), { one: 1 });
});

test('a statement gives its rows however many other sets of columns there were since', async () => {
  const db = await openDatabase();
  await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name); INSERT INTO t VALUES (1, 'Ann'), (2, 'Bo')");
  const rows = [{ id: 1, name: 'Ann' }, { id: 2, name: 'Bo' }];
  const objects = db.prepare('SELECT id, name FROM t');
  const names = db.prepare('SELECT name, id FROM t').pluck();
  for (let round = 0; round < 3; ++round) {
    assert.deepEqual([objects.get(), objects.all(), [...objects.iterate()]], [rows[0], rows, rows]);
    assert.deepEqual(names.all(), ['Ann', 'Bo']);
    for (let other = 0; other < 1_100; ++other) db.prepare(`SELECT 1 AS c${round}_${other}`).get();
  }
});
