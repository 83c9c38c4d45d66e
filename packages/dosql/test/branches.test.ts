// Branches and snapshots.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { branch, type Database, relative, snapshot } from '@dotdo/dosql';
import { compareBranches } from '@dotdo/dosql/timetravel';
import { fails, openDatabase } from './support.ts';

async function users(): Promise<Database> {
  const db = await openDatabase();
  await db.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)');
  for (const name of ['Ann', 'Bo', 'Cy']) await db.run('INSERT INTO users (name) VALUES (?)', [name]);
  return db;
}

const names = async (db: Database) => (await db.query('SELECT name FROM users ORDER BY id')).map((row) => row['name']);

test('a branch has its own data, and checkout moves one handle', async () => {
  const db = await users();
  const other = await openDatabase({ name: db.name });
  await db.branch('feature-x');
  await db.checkout('feature-x');
  await db.run("INSERT INTO users (name) VALUES ('Di')");
  assert.equal(await db.currentBranch(), 'feature-x');
  assert.equal(await other.currentBranch(), 'main');
  assert.deepEqual(await names(db), ['Ann', 'Bo', 'Cy', 'Di']);
  assert.deepEqual(await names(other), ['Ann', 'Bo', 'Cy']);
  const statement = db.prepare('SELECT count(*) FROM users').pluck();
  assert.equal(statement.get(), 4);
  await db.checkout('main');
  assert.equal(statement.get(), 3, 'a prepared statement goes with its handle');
});

test('a branch begins where it is told to', async () => {
  const db = await users();
  const { lsn } = await db.resolve(snapshot('main@3'));
  await db.createSnapshot('two', { at: 'main@3' });
  await db.branch('a', { from: 'main@3' });
  await db.branch('b', { fromLSN: lsn });
  await db.branch('c', { from: relative({ versionOffset: -1 }) });
  await db.branch('d', { from: 'two' });
  await db.branch('e', { from: branch('a') });
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await db.checkout(name);
    assert.deepEqual(await names(db), ['Ann', 'Bo'], name);
  }
  await assert.rejects(db.branch('f', { from: 'main@3', fromLSN: 1n }), fails('DOSQL_INVALID_ARGUMENT', /give one/));
  await assert.rejects(db.branch('f', { from: 'main@99' }), fails('DOSQL_VERSION_NOT_FOUND', /main@99/));
  await assert.rejects(db.branch('f', { fromLSN: -1n }), fails('DOSQL_INVALID_ARGUMENT', /LSN/));
  await assert.rejects(db.branch('a'), fails('DOSQL_ALREADY_EXISTS'));
  await assert.rejects(db.branch('no name'), fails('DOSQL_INVALID_ARGUMENT'));
  // @ts-expect-error: not a point
  await assert.rejects(db.branch('f', { from: { type: 'nonsense' } }), fails('DOSQL_INVALID_ARGUMENT', /no point/));
});

test('branches are listed with what they began with', async () => {
  const db = await users();
  await db.branch('later');
  const [later, main] = await db.listBranches();
  assert.ok(later !== undefined && main !== undefined);
  assert.deepEqual(
    [main.name, main.version, main.parent, main.forkVersion, main.created, main.current],
    ['main', 4, null, null, null, true],
  );
  assert.deepEqual([later.name, later.version, later.parent, later.forkVersion, later.current], ['later', 4, 'main', 4, false]);
  assert.equal(typeof later.lsn, 'bigint');
  assert.ok(Math.abs(later.created!.getTime() - Date.now()) < 60_000);
});

test('branches are compared in commits', async () => {
  const db = await users();
  await db.branch('x');
  await db.checkout('x');
  await db.run("INSERT INTO users (name) VALUES ('Di')");
  assert.deepEqual(await db.compareBranches('x', 'main'), {
    source: 'x',
    target: 'main',
    sourceAhead: 1,
    sourceBehind: 0,
    diverged: false,
    canFastForward: true,
    mergeBase: 'main@4',
  });
  await db.checkout('main');
  await db.run("INSERT INTO users (name) VALUES ('Ed')");
  const comparison = await compareBranches(db, 'x', 'main');
  assert.deepEqual([comparison.sourceAhead, comparison.sourceBehind, comparison.diverged], [1, 1, true]);
  await assert.rejects(db.compareBranches('x', 'y'), fails('DOSQL_BRANCH_NOT_FOUND'));
});

test('a branch with commits of its own is deleted only by force', async () => {
  const db = await users();
  await db.branch('merged');
  await db.branch('x');
  await db.checkout('x');
  await db.run("INSERT INTO users (name) VALUES ('Di')");
  await assert.rejects(db.deleteBranch('x', { force: true }), fails('DOSQL_INVALID_ARGUMENT'));
  await db.checkout('main');
  await db.deleteBranch('merged');
  await assert.rejects(db.deleteBranch('x'), fails('DOSQL_BRANCH_NOT_MERGED', /x@5/));
  await db.deleteBranch('x', { force: true });
  assert.deepEqual((await db.listBranches()).map(({ name }) => name), ['main']);
  await assert.rejects(db.deleteBranch('x'), fails('DOSQL_BRANCH_NOT_FOUND'));
  await assert.rejects(db.checkout('x'), fails('DOSQL_BRANCH_NOT_FOUND'));
});

test('a handle moves neither inside a transaction nor while a loop runs', async () => {
  const db = await users();
  await db.branch('x');
  await db.transaction(async () => {
    await assert.rejects(db.checkout('x'), fails('DOSQL_INVALID_ARGUMENT', /transaction/));
  });
  const loop = db.prepare('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n').iterate();
  loop.next();
  await assert.rejects(db.checkout('x'), fails('DOSQL_INVALID_ARGUMENT', /running/));
  loop.return();
  await db.checkout('x');
});

test('snapshots are made, listed and dropped', async () => {
  const db = await users();
  await db.createSnapshot('release 1', { at: snapshot('main@2') });
  await db.createSnapshot('release 2');
  const [first, second] = await db.listSnapshots();
  assert.deepEqual([first?.name, first?.branch, first?.version], ['release 1', 'main', 2]);
  assert.deepEqual([second?.name, second?.version, typeof second?.lsn], ['release 2', 4, 'bigint']);
  assert.ok(second!.created instanceof Date);
  await db.dropSnapshot('release 1');
  assert.equal((await db.listSnapshots()).length, 1);
  await assert.rejects(db.dropSnapshot('release 1'), fails('DOSQL_NOT_FOUND'));
});
