// The view of the storage.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COWBackend, createCOWBackend } from '@dotdo/dosql/fsx';
import { openDatabase } from './support.ts';

test('branches, snapshots and sizes', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (x)');
  const backend = createCOWBackend(db);
  assert.ok(backend instanceof COWBackend);
  const before = await backend.sizes();
  await db.branch('x');
  await db.createSnapshot('s');
  await db.run('INSERT INTO t VALUES (zeroblob(100000))');
  const after = await backend.sizes();
  assert.deepEqual((await backend.branches()).map(({ name }) => name), ['main', 'x']);
  assert.deepEqual((await backend.snapshots()).map(({ name }) => name), ['s']);
  assert.equal(after.commits, before.commits + 1);
  assert.equal(after.branches, 2);
  assert.ok(after.logBytes > before.logBytes && after.pages > before.pages && after.pageVersions > before.pageVersions);
  assert.ok(Object.values(after).every((size) => Number.isSafeInteger(size) && size > 0), JSON.stringify(after));
});

test('gc writes a checkpoint where much of the log has none', async () => {
  const db = await openDatabase();
  await db.exec(`PRAGMA synchronous = NORMAL; CREATE TABLE t (x);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80)
    INSERT INTO t SELECT randomblob(1000000) FROM n`);
  await createCOWBackend(db).gc();
  const status = async (name: string) => (await db.queryOne('SELECT value FROM dosql_status WHERE name = ?', [name]))!['value'];
  assert.equal(await status('checkpoint_lsn'), await status('lsn'));
});
