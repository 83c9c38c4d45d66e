// Bodies of transactions that do what they should not, or whom a failure takes the transaction away: nothing that was
// acknowledged is lost, and nothing is kept of what failed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Database, type Transaction } from '@dotdo/dosql';
import { createTimeTravelSession, snapshot } from '@dotdo/dosql/timetravel';
import { fails, openDatabase } from './support.ts';

const long = 'INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n';

async function accounts(): Promise<Database> {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY)');
  return db;
}

const numbers = async (db: Database) => (await db.query('SELECT n FROM t ORDER BY n')).map((row) => row['n']);
const pause = (ms = 2) => new Promise((resolve) => setTimeout(resolve, ms));

test('a transaction of the database inside a body is a savepoint of the body’s', async () => {
  const db = await accounts();
  const insert = (n: number) => db.transaction(async () => void (await db.run('INSERT INTO t VALUES (?)', [n])));
  await db.transaction(async (tx) => {
    await insert(1);
    await tx.transaction(() => insert(2));
    await assert.rejects(insert(1), fails('DOSQL_CONSTRAINT'));
  });
  assert.deepEqual(await numbers(db), [1, 2]);

  // What is not the body's waits for the end of the outer one, though an inner one has ended.
  let foreign: Promise<unknown> | undefined;
  let inside!: () => void;
  const began = new Promise<void>((resolve) => {
    inside = resolve;
  }).then(() => {
    foreign = db.run('INSERT INTO t VALUES (9)');
  });
  await assert.rejects(db.transaction(async () => {
    await insert(3);
    inside();
    await began;
    await pause();
    throw new Error('undo');
  }), /undo/);
  await foreign;
  assert.deepEqual(await numbers(db), [1, 2, 9]);

  const session = await createTimeTravelSession(db, { asOf: snapshot('main@1') });
  assert.deepEqual(await session.query('SELECT n FROM t'), []);
  await session.close();
});

test('a transaction inside another ends with it, whatever its body does then', async () => {
  const db = await accounts();
  const late: Promise<unknown>[] = [];
  const outlives = (body: (inner: Transaction) => Promise<unknown>) => async (tx: Transaction) => {
    const inner = tx.transaction(body);
    inner.catch(() => {});
    late.push(inner);
    await pause();
  };
  await assert.rejects(db.transaction(async (tx) => {
    await tx.run('INSERT INTO t VALUES (1)');
    await outlives(async (inner) => {
      await pause(20);
      await inner.run('INSERT INTO t VALUES (2)');
    })(tx);
    throw new Error('undo');
  }), /undo/);
  await db.transaction(outlives(async () => {
    await pause(20);
    await db.run('INSERT INTO t VALUES (3)');
  }));
  await db.transaction(outlives(async () => {
    await pause(20);
    db.prepare('INSERT INTO t VALUES (4)').run();
  }));
  await db.transaction(outlives(() => pause(20)));
  await db.transaction(outlives(async () => {
    await pause(20);
    throw new Error('late');
  }));
  // Others have savepoints of the same name meanwhile.
  await db.transaction((tx) => tx.transaction(async (inner) => {
    await inner.run('INSERT INTO t VALUES (5)');
    await pause(60);
  }));
  const ended = await Promise.allSettled(late);
  assert.deepEqual(ended.map((one) => one.status === 'rejected' && one.reason.message), [
    'the transaction has ended',
    'the transaction has ended',
    'the transaction has ended',
    'the transaction has ended',
    'late',
  ]);
  assert.deepEqual(await numbers(db), [5]);
  assert.equal(db.inTransaction, false);
});

test('what waits for a transaction inside another is told when that ended', async () => {
  const db = await accounts();
  let waits!: Promise<unknown>;
  await db.transaction(async (tx) => {
    void tx.transaction(() => new Promise(() => {}));
    waits = tx.run('INSERT INTO t VALUES (1)');
    waits.catch(() => {});
    await pause();
  });
  await assert.rejects(waits, fails('DOSQL_INVALID_ARGUMENT', /has ended/));
  assert.deepEqual(await numbers(db), []);
});

test('a failure that rolls the transaction back ends it for the body too', async () => {
  const db = await accounts();
  const trigger = "CREATE TRIGGER no BEFORE INSERT ON t WHEN new.n = 13 BEGIN SELECT RAISE(ROLLBACK, 'unlucky'); END";
  await db.exec(`INSERT INTO t VALUES (1); ${trigger}`);
  const failing: [(tx: Transaction) => Promise<unknown>, RegExp][] = [
    [(tx) => tx.run(long, [], { signal: AbortSignal.timeout(50) }), /interrupted/],
    [(tx) => tx.run('INSERT OR ROLLBACK INTO t VALUES (1)'), /UNIQUE/],
    [async () => db.prepare('INSERT INTO t VALUES (13)').run(), /unlucky/],
    [(tx) => tx.exec('INSERT INTO t VALUES (13); INSERT INTO t VALUES (14)'), /unlucky/],
  ];
  for (const [fail, why] of failing) {
    await assert.rejects(db.transaction(async (tx) => {
      await tx.run('INSERT INTO t VALUES (2)');
      // One that is in the queue behind it already, and those that come later.
      const failed = fail(tx);
      const behind = tx.run('INSERT INTO t VALUES (3)');
      await assert.rejects(failed, why);
      await assert.rejects(behind, why);
      await assert.rejects(tx.run('INSERT INTO t VALUES (4)'), why);
      await assert.rejects(db.exec('INSERT INTO t VALUES (5)'), why);
      await assert.rejects(tx.transaction((inner) => inner.run('INSERT INTO t VALUES (6)')), why);
      assert.throws(() => db.prepare('INSERT INTO t VALUES (7)').run(), why);
      assert.throws(() => db.transactionSync(() => db.prepare('INSERT INTO t VALUES (8)').run()), why);
      return 'all well';
    }), why);
    assert.deepEqual(await numbers(db), [1], `${why}`);
    assert.equal(db.inTransaction, false);
    await db.transaction((tx) => tx.run('UPDATE t SET n = 1'));
  }
  assert.throws(() => db.transactionSync(() => {
    const insert = db.prepare('INSERT INTO t VALUES (?)');
    insert.run(2);
    assert.throws(() => insert.run(13), /unlucky/);
    assert.throws(() => insert.run(3), /unlucky/);
  }), /rolled back: .*unlucky/);
  assert.deepEqual(await numbers(db), [1]);
});

test('SQL does not end the transaction of a body', async () => {
  const db = await accounts();
  for (const sql of ['COMMIT', ' /* x */ end transaction', 'ROLLBACK', 'INSERT INTO t VALUES (2); COMMIT; BEGIN']) {
    await assert.rejects(db.transaction(async (tx) => {
      await tx.run('INSERT INTO t VALUES (1)');
      await tx.exec(sql);
    }), fails('DOSQL_INVALID_ARGUMENT', /cannot end this transaction/));
    assert.throws(() => db.transactionSync(() => {
      db.prepare('INSERT INTO t VALUES (1)').run();
      db.prepare(sql.replace(/^.*; (COMMIT).*/, '$1')).run();
    }), fails('DOSQL_INVALID_ARGUMENT', /cannot end this transaction/));
    assert.deepEqual(await numbers(db), []);
  }
  await db.transaction((tx) => tx.exec(`SAVEPOINT a; INSERT INTO t VALUES (1); ROLLBACK TO a; ROLLBACK TRANSACTION TO
    SAVEPOINT a; INSERT INTO t VALUES (2); RELEASE a`));
  await db.exec('BEGIN; INSERT INTO t VALUES (3); COMMIT');
  assert.deepEqual(await numbers(db), [2, 3]);
});

test('asynchronous calls are refused in the body of a synchronous transaction', async () => {
  const db = await accounts();
  const other = await openDatabase({ name: db.name, busyTimeoutMs: 5000 });
  const calls: Promise<unknown>[] = [];
  db.transactionSync(() => {
    db.prepare('INSERT INTO t VALUES (1)').run();
    calls.push(db.transaction((tx) => tx.run('INSERT INTO t VALUES (2)')));
    calls.push(db.run('INSERT INTO t VALUES (3)'), db.branch('b'), db.close());
    db.transactionSync(() => db.prepare('INSERT INTO t VALUES (4)').run());
    calls.push(db.query('SELECT 1'));
  });
  for (const call of calls) await assert.rejects(call, fails('DOSQL_BUSY', /synchronous transaction/));
  await db.transaction(async (tx) => {
    db.transactionSync(() => calls.push(tx.run('INSERT INTO t VALUES (5)')));
    await assert.rejects(calls.at(-1)!, fails('DOSQL_BUSY', /synchronous transaction/));
  });
  assert.equal(db.inTransaction, false);
  await other.run('INSERT INTO t VALUES (6)');
  await db.run('INSERT INTO t VALUES (7)');
  assert.deepEqual(await numbers(other), [1, 4, 6, 7]);
});
