// Transactions: whole or not at all, and nobody else's calls in between.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Database, DB } from '@dotdo/dosql';
import { dataFolder, fails, openDatabase } from './support.ts';

async function accounts(): Promise<Database> {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY)');
  return db;
}

const numbers = async (db: Database) => (await db.query('SELECT n FROM t ORDER BY n')).map((row) => row['n']);
const pause = () => new Promise((resolve) => setTimeout(resolve, 2));

test('commits what the body did, as one version, and gives what it gave', async () => {
  const db = await accounts();
  const before = (await db.resolve()).version;
  const result = await db.transaction(async (tx) => {
    await tx.run('INSERT INTO t VALUES (1)');
    await pause();
    await tx.run('INSERT INTO t VALUES (2)');
    return 'done';
  });
  assert.equal(result, 'done');
  assert.deepEqual(await numbers(db), [1, 2]);
  assert.equal((await db.resolve()).version, before + 1);
});

test('rolls back when the body throws, or a statement of it fails', async () => {
  const db = await accounts();
  const reason = new Error('no');
  await assert.rejects(db.transaction(async (tx) => {
    await tx.run('INSERT INTO t VALUES (1)');
    throw reason;
  }), reason);
  await assert.rejects(db.transaction(async (tx) => {
    await tx.run('INSERT INTO t VALUES (1)');
    await tx.run('INSERT INTO t VALUES (1)');
  }), fails('DOSQL_CONSTRAINT'));
  assert.throws(() => db.transactionSync(() => {
    db.prepare('INSERT INTO t VALUES (1)').run();
    throw reason;
  }), reason);
  assert.deepEqual(await numbers(db), []);
  assert.equal(db.inTransaction, false);
});

test('calls of the same handle that are not the body’s wait for its end', async () => {
  const db = await accounts();
  const order: string[] = [];
  let inside!: () => void;
  const began = new Promise<void>((resolve) => {
    inside = resolve;
  });
  const transaction = db.transaction(async (tx) => {
    await tx.run('INSERT INTO t VALUES (1)');
    inside();
    await pause();
    await pause();
    await tx.run('INSERT INTO t VALUES (2)');
    order.push('body');
  });
  await began;
  const outsiders = [
    db.query('SELECT count(*) AS n FROM t').then((rows) => order.push(`saw ${rows[0]!['n']}`)),
    db.run('INSERT INTO t VALUES (3)').then(() => order.push('inserted')),
    db.transaction(async (tx) => order.push(`in another saw ${(await tx.query('SELECT n FROM t')).length}`)),
    db.query('SELECT count(*) AS n FROM t').then((rows) => order.push(`saw ${rows[0]!['n']}`)),
  ];
  assert.throws(() => db.prepare('SELECT 1'), fails('DOSQL_BUSY', /transaction of this handle/));
  await Promise.all([transaction, ...outsiders]);
  assert.equal(order[0], 'body');
  assert.deepEqual(order.sort(), ['body', 'in another saw 3', 'inserted', 'saw 2', 'saw 3']);
});

test('calls that the body makes on the database itself belong to the transaction', async () => {
  const db = await accounts();
  await db.transaction(async (tx) => {
    await db.run('INSERT INTO t VALUES (1)');
    await pause();
    assert.deepEqual(await tx.query('SELECT n FROM t'), [{ n: 1 }]);
    db.prepare('INSERT INTO t VALUES (?)').run(2);
    assert.equal(db.inTransaction, true);
  });
  await assert.rejects(db.transaction(async () => {
    await db.run('INSERT INTO t VALUES (3)');
    throw new Error('no');
  }));
  assert.deepEqual(await numbers(db), [1, 2]);
});

test('a transaction in a transaction can be undone by itself', async () => {
  const db = await accounts();
  await db.transaction(async (tx) => {
    await tx.run('INSERT INTO t VALUES (1)');
    await assert.rejects(tx.transaction(async (inner) => {
      await inner.run('INSERT INTO t VALUES (2)');
      await inner.transaction(async (third) => void (await third.run('INSERT INTO t VALUES (20)')));
      throw new Error('undo');
    }));
    await Promise.all([
      tx.transaction(async (inner) => {
        await inner.run('INSERT INTO t VALUES (3)');
        await pause();
      }),
      tx.transaction(async (inner) => {
        await inner.run('INSERT INTO t VALUES (4)');
      }),
    ]);
  });
  assert.deepEqual(await numbers(db), [1, 3, 4]);
  db.transactionSync(() => {
    db.prepare('INSERT INTO t VALUES (5)').run();
    assert.throws(() => db.transactionSync(() => {
      db.prepare('INSERT INTO t VALUES (6)').run();
      throw new Error('undo');
    }));
    db.transactionSync(() => db.prepare('INSERT INTO t VALUES (7)').run());
  });
  assert.deepEqual(await numbers(db), [1, 3, 4, 5, 7]);
});

test('a transaction that has ended takes no more calls', async () => {
  const db = await accounts();
  const tx = await db.transaction((transaction) => transaction);
  await assert.rejects(tx.run('INSERT INTO t VALUES (1)'), fails('DOSQL_INVALID_ARGUMENT', /has ended/));
  assert.throws(() => tx.prepare('SELECT 1'), fails('DOSQL_INVALID_ARGUMENT', /has ended/));
  // @ts-expect-error: it needs a function
  await assert.rejects(db.transaction('BEGIN'), fails('DOSQL_INVALID_ARGUMENT', /function/));
  assert.throws(() => db.transactionSync(async () => {}), fails('DOSQL_INVALID_ARGUMENT', /promise/));
  assert.equal(db.inTransaction, false);
});

test('handles take turns at writing', async () => {
  const db = await accounts();
  const other = await openDatabase({ name: db.name });
  await Promise.all(
    Array.from({ length: 40 }, (_, n) => [db, other][n % 2]!.transaction(async (tx) => {
      const { n: count } = (await tx.queryOne('SELECT count(*) AS n FROM t'))!;
      await tx.run('INSERT INTO t VALUES (?)', [count]);
    })),
  );
  assert.deepEqual(await numbers(db), Array.from({ length: 40 }, (_, n) => n));
});

test('a failed commit is rolled back, and the handle goes on', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p DEFERRABLE INITIALLY DEFERRED)');
  await assert.rejects(db.transaction((tx) => tx.run('INSERT INTO c VALUES (1)')), fails('DOSQL_CONSTRAINT'));
  assert.equal(db.inTransaction, false);
  assert.throws(() => db.transactionSync(() => db.prepare('INSERT INTO c VALUES (1)').run()), fails('DOSQL_CONSTRAINT'));
  assert.deepEqual(await db.query('SELECT * FROM c'), []);
});

test('one handle closes while another one’s transaction is open', async () => {
  const db = await accounts();
  const other = await DB(db.name, { dataFolder });
  await db.transaction(async (tx) => {
    await tx.run('INSERT INTO t VALUES (1)');
    await other.close();
  });
  assert.deepEqual(await numbers(db), [1]);
});
