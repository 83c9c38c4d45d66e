// Asynchronous calls: what they give, their order, that they do not hold up JavaScript, and how they fail.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DoSQLError } from '@dotdo/dosql';
import { fails, longestPauseDuring, openDatabase } from './support.ts';

const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n';

test('query, queryOne, run and exec', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX by_v ON t (v);');
  assert.deepEqual(await db.run('INSERT INTO t (v) VALUES (?), (?)', ['a', 'b']), { changes: 2, lastInsertRowId: 2 });
  assert.deepEqual(await db.query('SELECT * FROM t ORDER BY id'), [{ id: 1, v: 'a' }, { id: 2, v: 'b' }]);
  assert.deepEqual(await db.queryOne('SELECT v FROM t WHERE id = :id', { id: 2 }), { v: 'b' });
  assert.equal(await db.queryOne('SELECT v FROM t WHERE id = 9'), undefined);
  assert.deepEqual(await db.query('SELECT v FROM t WHERE id = 9'), []);
  assert.deepEqual(await db.run('UPDATE t SET v = upper(v) WHERE id = 1'), { changes: 1, lastInsertRowId: 2 });
  assert.deepEqual(await db.run('CREATE TABLE u (x)'), { changes: 0, lastInsertRowId: 2 });
  const big = 2n ** 60n;
  assert.deepEqual(await db.run('INSERT INTO t VALUES (?, NULL)', [big]), { changes: 1, lastInsertRowId: big });
});

test('a statement that writes and gives rows is done whole by queryOne', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY)');
  assert.deepEqual(await db.queryOne('INSERT INTO t VALUES (1), (2), (3) RETURNING id'), { id: 1 });
  assert.deepEqual(db.prepare('INSERT INTO t VALUES (4), (5) RETURNING id').get(), { id: 4 });
  const other = await openDatabase({ name: db.name });
  assert.deepEqual(await other.query('SELECT count(*) AS n FROM t'), [{ n: 5 }]);
});

test('errors tell the code, the SQL, and the place in it', async () => {
  const db = await openDatabase();
  const sql = "SELECT 'Þórður 🙂', nothing FROM sqlite_schema";
  const error = await db.query(sql).then(() => assert.fail(), (failure: unknown) => failure);
  assert.ok(error instanceof DoSQLError && error instanceof Error);
  assert.equal(error.name, 'DoSQLError');
  assert.equal(error.code, 'DOSQL_SQL');
  assert.equal(error.sql, sql);
  assert.equal(sql.slice(error.offset).startsWith('nothing'), true);
  assert.throws(() => db.prepare(sql), (failure: DoSQLError) => failure.offset === error.offset);

  await db.exec('CREATE TABLE t (x UNIQUE); INSERT INTO t VALUES (1)');
  await assert.rejects(db.run('INSERT INTO t VALUES (?)', [1]), (failure: DoSQLError) => {
    assert.equal(failure.code, 'DOSQL_CONSTRAINT');
    assert.equal(failure.sqliteCode, 2067);
    assert.match(failure.message, /t\.x/);
    return true;
  });
  await assert.rejects(db.query(''), fails('DOSQL_INVALID_ARGUMENT', /no statement/));
  await assert.rejects(db.query('SELECT 1; SELECT 2'), fails('DOSQL_INVALID_ARGUMENT', /more than one/));
  await assert.rejects(db.exec('SELECT 1; SELECT nothing'), (failure: DoSQLError) => failure.offset === 17);
  // @ts-expect-error: the SQL must be a string
  await assert.rejects(db.query(7), fails('DOSQL_INVALID_ARGUMENT', /must be a string/));
});

test('calls of one handle run in the order of their making', async () => {
  const db = await openDatabase();
  const calls = [db.exec('CREATE TABLE t (n)')];
  for (let n = 1; n <= 50; ++n) calls.push(db.run('INSERT INTO t VALUES (?)', [n]).then(() => {}));
  const rows = db.query('SELECT n FROM t ORDER BY rowid');
  assert.deepEqual((await rows).map((row) => row['n']), Array.from({ length: 50 }, (_, n) => n + 1));
  await Promise.all(calls);
});

test('a synchronous statement comes after the asynchronous calls that were made before it', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (n)');
  const insert = db.prepare('INSERT INTO t VALUES (?)');
  const pending = Array.from({ length: 20 }, (_, n) => db.run('INSERT INTO t VALUES (?)', [n]));
  insert.run('sync');
  assert.equal(db.prepare('SELECT max(rowid) FROM t WHERE n = ?').pluck().get('sync'), 21);
  await Promise.all(pending);
});

test('a long query does not hold up timers', async () => {
  const db = await openDatabase();
  const controller = new AbortController();
  let done = false;
  const query = db.query(endless, undefined, { signal: controller.signal }).catch(() => {
    done = true;
  });
  let ticks = 0;
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      if (++ticks === 5) {
        clearInterval(timer);
        resolve();
      }
    }, 5);
  });
  assert.equal(done, false, 'timers ran while the query did');
  controller.abort();
  await query;
});

test('a large result does not hold up timers', async () => {
  const db = await openDatabase();
  const count = 300_000;
  const sql = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    SELECT i, i AS a, i AS b, i AS c, 'text' AS t FROM n`;
  // How long it takes at once, on this machine now.
  const begin = performance.now();
  db.prepare(sql).all();
  const atOnce = performance.now() - begin;
  const { result: rows, longest } = await longestPauseDuring(() => db.query(sql));
  assert.equal(rows.length, count);
  assert.ok(longest < atOnce / 2, `a timer waited ${longest} ms; the rows at once take ${atOnce} ms`);
});

test('AbortSignal stops a running query', async () => {
  const db = await openDatabase();
  for (let round = 0; round < 20; ++round) {
    const controller = new AbortController();
    const query = db.query(endless, undefined, { signal: controller.signal });
    const reason = new Error('enough');
    if (round % 2 === 0) setTimeout(() => controller.abort(reason), round / 2);
    else controller.abort(reason);
    await assert.rejects(query, (error: DoSQLError) => {
      assert.equal(error.code, 'DOSQL_INTERRUPTED');
      assert.equal(error.cause, reason);
      return true;
    });
    assert.deepEqual(await db.query('SELECT 1 AS one'), [{ one: 1 }], 'the handle goes on');
  }
});

test('AbortSignal takes a waiting call out of the queue, and no other', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (n)');
  const running = new AbortController();
  const waiting = new AbortController();
  const first = db.query(endless, undefined, { signal: running.signal });
  const second = db.run('INSERT INTO t VALUES (2)', [], { signal: waiting.signal });
  const third = db.run('INSERT INTO t VALUES (3)');
  waiting.abort();
  await assert.rejects(second, fails('DOSQL_INTERRUPTED'));
  running.abort();
  await assert.rejects(first, fails('DOSQL_INTERRUPTED'));
  await third;
  assert.deepEqual(await db.query('SELECT n FROM t'), [{ n: 3 }]);
  await assert.rejects(db.query('SELECT 1', [], { signal: AbortSignal.abort() }), fails('DOSQL_INTERRUPTED'));
  const ended = new AbortController();
  await db.query('SELECT 1', [], { signal: ended.signal });
  ended.abort();
  assert.deepEqual(await db.query('SELECT 1 AS one'), [{ one: 1 }]);
});

test('a closed handle refuses calls, and ends those that were made', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (n)');
  const insert = db.run('INSERT INTO t VALUES (1)');
  const statement = db.prepare('SELECT * FROM t');
  const loop = db.prepare('SELECT 1 UNION ALL SELECT 2').iterate();
  loop.next();
  const closed = db.close();
  assert.deepEqual(await insert, { changes: 1, lastInsertRowId: 1 });
  await closed;
  await db.close();
  await assert.rejects(db.query('SELECT 1'), fails('DOSQL_INVALID_ARGUMENT', /closed/));
  await assert.rejects(db.checkout('main'), fails('DOSQL_INVALID_ARGUMENT', /closed/));
  assert.throws(() => statement.get(), fails('DOSQL_INVALID_ARGUMENT', /closed/));
  assert.throws(() => db.prepare('SELECT 1'), fails('DOSQL_INVALID_ARGUMENT', /closed/));
  assert.deepEqual(loop.next(), { value: { 1: 2 }, done: false }, 'what had been fetched is there');
});

test('await using closes the handle', async () => {
  let path = '';
  {
    const db = await openDatabase({ name: 'disposed' });
    path = db.path;
    await db[Symbol.asyncDispose]();
    await assert.rejects(db.query('SELECT 1'), fails('DOSQL_INVALID_ARGUMENT', /closed/));
  }
  assert.match(path, /disposed$/);
});

test('AbortSignal ends a call that waits for a transaction of its handle', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (n)');
  let end!: () => void;
  const transaction = db.transaction(() => new Promise<void>((resolve) => {
    end = resolve;
  }));
  const controller = new AbortController();
  const { signal } = controller;
  const waiting = [db.run('INSERT INTO t VALUES (1)', [], { signal }), db.exec('INSERT INTO t VALUES (2)', { signal })];
  const patient = db.run('INSERT INTO t VALUES (3)', [], { signal: new AbortController().signal });
  setTimeout(() => controller.abort(), 5);
  for (const call of waiting) await assert.rejects(call, fails('DOSQL_INTERRUPTED'));
  end();
  await Promise.all([transaction, patient]);
  assert.deepEqual(await db.query('SELECT n FROM t'), [{ n: 3 }]);
});

test('an interrupt is for one call: not for a loop that is open, nor for what comes next', async () => {
  const db = await openDatabase();
  await db.exec(`CREATE TABLE t (n); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
    INSERT INTO t SELECT i FROM n`);
  let rows = 0;
  for (const _ of db.prepare('SELECT n FROM t').iterate()) {
    if (++rows !== 10) continue;
    await assert.rejects(db.query(endless, [], { signal: AbortSignal.timeout(20) }), fails('DOSQL_INTERRUPTED'));
    assert.deepEqual(await db.query('SELECT 1 AS one'), [{ one: 1 }]);
    assert.deepEqual(db.prepare('SELECT count(*) AS n FROM t').get(), { n: 5000 });
  }
  assert.equal(rows, 5000);
});

test('a signal is an AbortSignal, which many calls may share', async () => {
  const db = await openDatabase();
  const wrong: any[] = [{}, 5, 'x', { aborted: false }];
  for (const signal of wrong) {
    await assert.rejects(db.query('SELECT 1', [], { signal }), fails('DOSQL_INVALID_ARGUMENT', /AbortSignal/));
  }
  await assert.rejects(db.query('SELECT 1', [], { sginal: 1 } as any), fails('DOSQL_INVALID_ARGUMENT', /no option 'sginal'/));
  const none: any[] = [null, undefined, { signal: null }, { signal: undefined }];
  for (const options of none) assert.deepEqual(await db.query('SELECT 1 AS one', [], options), [{ one: 1 }]);

  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  const controller = new AbortController();
  const running = db.query(endless, [], { signal: controller.signal });
  const calls = Array.from({ length: 40 }, () => db.query('SELECT 1', [], { signal: controller.signal }));
  const ended = Promise.allSettled(calls);
  controller.abort();
  await assert.rejects(running, fails('DOSQL_INTERRUPTED'));
  // One or another may have been done before its turn to be stopped came.
  const stopped = (await ended).filter((call) => call.status === 'rejected' && fails('DOSQL_INTERRUPTED')(call.reason));
  assert.ok(stopped.length > 0);
  await new Promise((resolve) => setTimeout(resolve, 5));
  process.off('warning', warned);
  assert.deepEqual(warnings, []);
});

test('errors of asynchronous calls tell where the call was made', async () => {
  const db = await openDatabase();
  async function askWrongly(): Promise<unknown> {
    return await db.query('SELECT nothing');
  }
  async function checkoutWrongly(): Promise<void> {
    await db.checkout('nowhere');
  }
  for (const wrong of [askWrongly, checkoutWrongly]) {
    await assert.rejects(wrong(), (error: Error) => {
      assert.match(error.stack!, new RegExp(`^DoSQLError: .*at async ${wrong.name} `, 's'));
      assert.doesNotMatch(error.stack!, /makeError/);
      return true;
    });
  }
  assert.throws(() => db.prepare('SELECT nothing'), (error: Error) => !error.stack!.includes('makeError'));
});

test('many small results do not hold up timers', async () => {
  const db = await openDatabase();
  const calls = 60_000;
  let done = 0;
  let seenBetween = 0;
  const queries = Array.from({ length: calls }, () => db.query('SELECT 1').then(() => ++done));
  const timer = setInterval(() => {
    if (done > 0 && done < calls) ++seenBetween;
  }, 1);
  await Promise.all(queries);
  clearInterval(timer);
  assert.ok(seenBetween >= 3, `timers ran ${seenBetween} times meanwhile`);
});
