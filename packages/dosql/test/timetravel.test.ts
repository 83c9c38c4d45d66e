// Points in time, sessions in the past, and distances.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { branch, type Database, lsn, relative, snapshot, timestamp } from '@dotdo/dosql';
import { createBranchHistoryManager, createTimeTravelSession } from '@dotdo/dosql/timetravel';
import { fails, openDatabase } from './support.ts';

// A database whose version n has n - 1 rows.
async function counters(): Promise<Database> {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (n)');
  for (let n = 1; n <= 5; ++n) await db.run('INSERT INTO t VALUES (?)', [n]);
  return db;
}

const count = async (scope: { queryOne: Database['queryOne'] }) =>
  (await scope.queryOne<{ n: number }>('SELECT count(*) AS n FROM t'))!.n;

test('a session stays at the version that its point meant', async () => {
  const db = await counters();
  const third = await db.resolve(snapshot('main@3'));
  assert.deepEqual([third.branch, third.version, typeof third.lsn], ['main', 3, 'bigint']);
  const [{ timestamp: time }] = (await db.query('SELECT timestamp FROM dosql_log WHERE version = 3')) as [any];
  await db.createSnapshot('then', { at: 'main@3' });
  await db.branch('old', { from: 'main@3' });
  const points = [
    lsn(third.lsn),
    lsn(third.lsn - 1n),
    timestamp(time),
    snapshot('main@3'),
    snapshot('then'),
    branch('old'),
    relative({ versionOffset: -3 }),
    'main@3',
    'then',
  ];
  const sessions = await Promise.all(points.map((asOf) => createTimeTravelSession(db, { asOf })));
  await db.exec('DELETE FROM t');
  for (const [index, session] of sessions.entries()) {
    const point = JSON.stringify(points[index], (_, value) => (typeof value === 'bigint' ? `${value}` : value));
    assert.equal(await count(session), 2, point);
    assert.equal(session.prepare('SELECT count(*) FROM t').pluck().get(), 2);
    await session.close();
    await assert.rejects(count(session), fails('DOSQL_INVALID_ARGUMENT', /closed/));
  }
  assert.equal(await count(db), 0);
});

test('the past cannot be written, and a point that does not exist is an error', async () => {
  const db = await counters();
  const session = await createTimeTravelSession(db, { asOf: snapshot('main@3') });
  await assert.rejects(session.run('DELETE FROM t'), fails('DOSQL_READ_ONLY', /main@3/));
  await session.close();
  const missing = (asOf: any, code: any) => assert.rejects(createTimeTravelSession(db, { asOf }), fails(code));
  await missing(snapshot('main@99'), 'DOSQL_VERSION_NOT_FOUND');
  await missing(timestamp('1999-01-01'), 'DOSQL_VERSION_NOT_FOUND');
  await missing(timestamp('no date'), 'DOSQL_INVALID_ARGUMENT');
  await missing(branch('none'), 'DOSQL_BRANCH_NOT_FOUND');
  await missing(snapshot('none'), 'DOSQL_NOT_FOUND');
  await missing(undefined, 'DOSQL_INVALID_ARGUMENT');
  await missing(null, 'DOSQL_INVALID_ARGUMENT');
  await missing({ type: 'lsn', lsn: 'x' }, 'DOSQL_INVALID_ARGUMENT');
});

test('a point is counted on the handle’s branch, or on the one that is named', async () => {
  const db = await counters();
  await db.branch('x', { from: 'main@4' });
  await db.checkout('x');
  await db.run('DELETE FROM t');
  const back = relative({ versionOffset: -1 });
  const at = async (options: object) => {
    const session = await createTimeTravelSession(db, { asOf: back, ...options });
    const rows = await count(session);
    await session.close();
    return rows;
  };
  assert.equal(await at({}), 3, 'the handle is on x');
  assert.equal(await at({ scope: 'local' }), 3);
  assert.equal(await at({ scope: 'branch' }), 4, 'main');
  assert.equal(await at({ scope: 'branch', branch: 'x' }), 3);
  await assert.rejects(at({ scope: 'branch', branch: 'none' }), fails('DOSQL_BRANCH_NOT_FOUND'));
  await assert.rejects(at({ scope: 'global' }), fails('DOSQL_INVALID_ARGUMENT', /several shards/));
  await assert.rejects(at({ scope: 'everywhere' }), fails('DOSQL_INVALID_ARGUMENT', /no scope/));
});

test('a session outlives the handle it was made by', async () => {
  const db = await counters();
  const session = await createTimeTravelSession(db, { asOf: 'main@2' });
  await db.close();
  assert.equal(await count(session), 1);
  await session[Symbol.asyncDispose]();
});

test('distances are commits, on the branch that is asked for', async () => {
  const db = await counters();
  const manager = createBranchHistoryManager(db);
  assert.equal(await manager.getDistance(snapshot('main@2'), snapshot('main@5'), 'main'), 3);
  assert.equal(await manager.getDistance(snapshot('main@5'), snapshot('main@2')), -3);
  await db.branch('x', { from: 'main@3' });
  assert.equal(await manager.getDistance(snapshot('main@1'), relative({ versionOffset: 0 }), 'x'), 2);
  assert.equal(await db.currentBranch(), 'main');
  await assert.rejects(manager.getDistance('main@1', 'main@2', 'none'), fails('DOSQL_BRANCH_NOT_FOUND'));
  assert.deepEqual((await manager.listBranches()).map(({ name }) => name), ['main', 'x']);
  assert.equal((await manager.resolve(relative({ versionOffset: -1 }))).version, 5);
});

test('points say at once when they are no points', () => {
  for (const make of [
    () => lsn('x' as never),
    () => lsn(1.5),
    () => timestamp(new Date(NaN)),
    () => timestamp(5 as never),
    () => snapshot(undefined as never),
    () => branch(null as never),
    () => relative({ versionOffset: 0.5 }),
  ]) {
    assert.throws(make, fails('DOSQL_INVALID_ARGUMENT'));
  }
});

test('AS OF in SQL takes parameters', async () => {
  const db = await counters();
  const old = await db.query('SELECT count(*) AS n FROM t FOR SYSTEM_TIME AS OF SNAPSHOT ?', ['main@3']);
  assert.deepEqual(old, [{ n: 2 }]);
  const statement = db.prepare('SELECT count(*) FROM t FOR SYSTEM_TIME AS OF VERSION CURRENT - :back').pluck();
  assert.deepEqual([1, 2, 3].map((back) => statement.get({ back })), [4, 3, 2]);
});
