// Slots: how far a consumer has got, over restarts, and who may have one.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, DB } from '@dotdo/dosql';
import { CDCConnectionError, CDCError, type CDCSubscription, createCDC } from '@dotdo/dosql/cdc';
import { dataFolder, fails, openDatabase } from './support.ts';

async function rowsDb(count: number): Promise<Database> {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY)');
  for (let id = 1; id <= count; ++id) await db.run('INSERT INTO t VALUES (?)', [id]);
  return db;
}

// Takes some changes, acknowledging those up to one of them.
async function take(db: Database, count: number, acknowledge = count): Promise<number[]> {
  const { slots } = createCDC(db);
  const ids: number[] = [];
  for await (const { after, lsn } of await slots.subscribeFromSlot('s')) {
    ids.push(after!['id']);
    if (ids.length <= acknowledge) await slots.updateSlot('s', lsn);
    if (ids.length === count) break;
  }
  return ids;
}

const failsAs = (type: typeof CDCError, ...expected: Parameters<typeof fails>) => (error: unknown) =>
  Object.getPrototypeOf(error) === type.prototype && fails(...expected)(error);

test('a consumer goes on behind what it acknowledged', async () => {
  const db = await rowsDb(10);
  await createCDC(db).slots.createSlot('s', 0n);
  assert.deepEqual(await take(db, 3), [1, 2, 3]);
  assert.deepEqual(await take(db, 4, 2), [4, 5, 6, 7]);
  await db.close();
  const again = await openDatabase({ name: db.name });
  assert.deepEqual(await take(again, 3), [6, 7, 8], 'what was not acknowledged comes again');
});

test('a slot is told, listed and dropped', async () => {
  const db = await rowsDb(3);
  const { slots } = createCDC(db);
  await slots.createSlot('s', 0n, { lagBytesMax: 1e9, lagSecondsMax: 3600 });
  await slots.createSlot('now');
  await db.run('INSERT INTO t VALUES (4)');
  const [now, s] = await slots.listSlots();
  assert.deepEqual([now!.name, now!.lagCommits, s!.name, s!.lagCommits], ['now', 1, 's', 5]);
  assert.deepEqual([s!.acknowledgedLSN, s!.branch, s!.inUse, s!.lost], [0n, 'main', false, false]);
  assert.deepEqual([s!.lagBytesMax, s!.lagSecondsMax, now!.lagBytesMax], [1e9, 3600, 0]);
  assert.ok(s!.lagBytes > 0 && s!.lagSeconds > 0 && Math.abs(s!.created.getTime() - Date.now()) < 60_000);
  assert.deepEqual(await take(db, 4), [1, 2, 3, 4]);
  const after = await slots.getSlot('s');
  assert.equal(after.lagCommits, 0);
  assert.ok(after.acknowledgedLSN > s!.acknowledgedLSN);
  await slots.updateSlot('s', 1n);
  assert.equal((await slots.getSlot('s')).acknowledgedLSN, after.acknowledgedLSN, 'backwards changes nothing');
  await slots.dropSlot('now');
  assert.deepEqual((await slots.listSlots()).map(({ name }) => name), ['s']);
});

test('a slot follows its branch, through a filter', async () => {
  const db = await rowsDb(1);
  await db.exec('CREATE TABLE u (x)');
  await db.branch('x');
  await db.checkout('x');
  const { slots } = createCDC(db);
  await slots.createSlot('s', undefined, { branch: 'x' });
  await db.exec('INSERT INTO u VALUES (1); INSERT INTO t VALUES (50); DELETE FROM t WHERE id = 50');
  const subscription = await slots.subscribeFromSlot('s', { filter: { tables: ['t'], operations: ['INSERT'] } });
  for await (const { after } of subscription) {
    assert.deepEqual(after, { id: 50 });
    break;
  }
});

test('one subscription at a time has a slot', async () => {
  const db = await rowsDb(1);
  const { slots } = createCDC(db);
  await slots.createSlot('s', 0n);
  const first = await slots.subscribeFromSlot('s');
  assert.equal((await slots.getSlot('s')).inUse, true);
  await assert.rejects(slots.subscribeFromSlot('s'), failsAs(CDCConnectionError, 'DOSQL_BUSY'));
  await assert.rejects(slots.dropSlot('s'), failsAs(CDCConnectionError, 'DOSQL_BUSY'));
  const source = `import { DB } from '@dotdo/dosql'; import { createCDC } from '@dotdo/dosql/cdc';
    const db = await DB('${db.name}', { dataFolder: ${JSON.stringify(dataFolder)}, readOnly: true });
    await createCDC(db).slots.subscribeFromSlot('s').catch((error) => console.log(error.name, error.code));`;
  const other = spawnSync(process.execPath, ['--input-type=module', '--eval', source], { cwd: path.join(import.meta.dirname, '..'), encoding: 'utf8' });
  assert.equal(other.stdout, 'CDCConnectionError DOSQL_LOCKED\n', other.stderr);
  await first.close();
  const second = await slots.subscribeFromSlot('s');
  for await (const change of second) {
    assert.equal(change.after!['id'], 1);
    break;
  }
  assert.equal((await slots.getSlot('s')).inUse, false, 'a loop that is left lets go of it');
});

test('a loop that fails lets go of its slot', async () => {
  const db = await rowsDb(2);
  const { slots } = createCDC(db);
  await slots.createSlot('s', 0n);
  const seen: number[] = [];
  const failing = async () => {
    for await (const { lsn, after } of await slots.subscribeFromSlot('s')) {
      seen.push(after!['id']);
      await slots.updateSlot('s', lsn);
      throw new Error('enough');
    }
  };
  await assert.rejects(failing(), /enough/);
  await assert.rejects(failing(), /enough/);
  assert.deepEqual(seen, [1, 2]);
});

test('subscriptions that are forgotten let go of their slots', { timeout: 60_000 }, async () => {
  const folder = JSON.stringify(dataFolder);
  const done = spawnSync(process.execPath, ['--input-type=module', '--eval', `
    import { DB } from '@dotdo/dosql'; import { createCDC } from '@dotdo/dosql/cdc';
    import { setTimeout } from 'node:timers/promises'; import v8 from 'node:v8'; import vm from 'node:vm';
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc');
    const db = await DB('forgotten', { dataFolder: ${folder} });
    await db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    const { slots } = createCDC(db);
    await slots.createSlot('s', 0n);
    await (async () => { await slots.subscribeFromSlot('s'); })();
    const inUse = async () => (await slots.getSlot('s')).inUse;
    for (let turn = 0; turn < 200 && await inUse(); ++turn) { gc(); await setTimeout(10); }
    console.log(await inUse());
    await db.close();`], { cwd: path.join(import.meta.dirname, '..'), encoding: 'utf8' });
  assert.equal(done.stdout, 'false\n', done.stderr);
});

test('acknowledging goes on beside a transaction of the handle', async () => {
  const db = await rowsDb(2);
  const { slots } = createCDC(db);
  await slots.createSlot('s', 0n);
  const { lsn } = await db.resolve();
  await db.transaction(async (tx) => {
    await tx.run('INSERT INTO t VALUES (100)');
    await slots.updateSlot('s', lsn);
  });
  assert.equal((await slots.getSlot('s')).lagCommits, 1);
});

test('a slot that is too far behind is lost', async () => {
  const db = await rowsDb(1);
  const { slots } = createCDC(db);
  await slots.createSlot('s', 0n, { lagBytesMax: 1 });
  assert.equal((await slots.getSlot('s')).lost, true);
  await assert.rejects(slots.subscribeFromSlot('s'), failsAs(CDCError, 'DOSQL_HISTORY_EXPIRED', /lost/));
});

test('what a slot refuses', async () => {
  const db = await rowsDb(1);
  const { slots } = createCDC(db);
  await slots.createSlot('s', 0n);
  const refused: [() => Promise<unknown>, Parameters<typeof fails>][] = [
    [() => slots.createSlot('s'), ['DOSQL_ALREADY_EXISTS']],
    [() => slots.createSlot('no name'), ['DOSQL_INVALID_ARGUMENT']],
    [() => slots.createSlot('t', 0n, { branch: 'none' }), ['DOSQL_BRANCH_NOT_FOUND']],
    [() => slots.createSlot('t', -1), ['DOSQL_INVALID_ARGUMENT', /LSN/]],
    [() => slots.createSlot('t', 0n, { lagBytesMax: -1 }), ['DOSQL_INVALID_ARGUMENT', /lagBytesMax/]],
    [() => slots.createSlot(7 as any), ['DOSQL_INVALID_ARGUMENT', /name/]],
    [() => slots.subscribeFromSlot('none'), ['DOSQL_NOT_FOUND']],
    [() => slots.subscribeFromSlot(undefined as any), ['DOSQL_INVALID_ARGUMENT']],
    [() => slots.getSlot('none'), ['DOSQL_NOT_FOUND']],
    [() => slots.dropSlot('none'), ['DOSQL_NOT_FOUND']],
    [() => slots.updateSlot('none', 1n), ['DOSQL_NOT_FOUND']],
    [() => slots.updateSlot('s', 2n ** 60n), ['DOSQL_INVALID_ARGUMENT', /acknowledged/]],
  ];
  for (const [call, expected] of refused) await assert.rejects(call(), failsAs(CDCError, ...expected));
});

test('an acknowledgement is written when its subscription ends', async () => {
  const db = await rowsDb(2);
  const { slots } = createCDC(db);
  await slots.createSlot('s', 0n);
  const subscription: CDCSubscription = await slots.subscribeFromSlot('s');
  const changes = subscription.iterate();
  const { value } = await changes.next();
  await slots.updateSlot('s', value!.lsn);
  await db.close();
  await sleep(1);
  const again = await DB(db.name, { dataFolder });
  assert.equal((await createCDC(again).slots.getSlot('s')).acknowledgedLSN, value!.lsn);
  await again.close();
});
