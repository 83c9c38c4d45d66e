// Feeds of changes: what comes, in which order, from where on, how it waits, and how it ends.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Database, DB, DoSQLError, relative } from '@dotdo/dosql';
import {
  CDCConnectionError,
  CDCError,
  type CDCSubscription,
  type ChangeEvent,
  type ChangeFilter,
  createCDC,
  createCDCSubscription,
  type FeedEvent,
  type SubscriptionOptions,
  type TransactionEvent,
} from '@dotdo/dosql/cdc';
import { createCOWBackend } from '@dotdo/dosql/fsx';
import { compareBranches, createBranchHistoryManager, createTimeTravelSession } from '@dotdo/dosql/timetravel';
import { addonFile, dataFolder, fails, openDatabase } from './support.ts';

async function tableDb(rows = 0): Promise<Database> {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, v)');
  await db.run(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
    INSERT INTO t SELECT i, 'row ' || i FROM n WHERE ? > 0`, [rows, rows]);
  return db;
}

// All that there is: a mark is committed, and what comes before it is taken. For filters without marks of their own.
async function changesOf(db: Database, options: SubscriptionOptions = {}): Promise<ChangeEvent[]> {
  const writer = await openDatabase({ name: db.name });
  await writer.checkout(options.branch ?? 'main');
  await writer.exec('CREATE TABLE IF NOT EXISTS mark (id INTEGER PRIMARY KEY); REPLACE INTO mark VALUES (1); DELETE FROM mark');
  await writer.close();
  const { filter = {} } = options;
  const withMark = filter.tables === undefined ? filter : { ...filter, tables: [...filter.tables, 'mark'] };
  const changes: ChangeEvent[] = [];
  for await (const change of createCDCSubscription(db, { ...options, filter: withMark })) {
    assert.ok('key' in change);
    if (change.table === 'mark') break;
    changes.push(change);
  }
  return changes;
}

const line = ({ op, table, before, after }: ChangeEvent) =>
  `${op} ${table} ${before === undefined ? '-' : Object.values(before)} ${after === undefined ? '-' : Object.values(after)}`;
const failsAs = (type: typeof CDCError, ...expected: Parameters<typeof fails>) => (error: unknown) =>
  Object.getPrototypeOf(error) === type.prototype && fails(...expected)(error);

test('a change is told whole', async () => {
  const db = await openDatabase();
  await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (7, 'a'); UPDATE t SET v = 'b'; DELETE FROM t");
  const [inserted, updated, deleted, ...more] = await changesOf(db);
  assert.deepEqual(more, []);
  const [a, b] = [{ id: 7, v: 'a' }, { id: 7, v: 'b' }];
  const { lsn, txnId, timestamp, key, ...rest } = inserted!;
  assert.deepEqual(rest, { type: 'insert', op: 'INSERT', table: 't', after: a, data: a });
  assert.deepEqual([typeof lsn, typeof txnId, key], ['bigint', 'string', new Uint8Array([2, 1, 7])]);
  assert.ok(Math.abs(timestamp.getTime() - Date.now()) < 60_000);
  assert.deepEqual([updated!.type, updated!.before, updated!.after, updated!.data], ['update', a, b, b]);
  assert.deepEqual([deleted!.type, deleted!.op, deleted!.before, deleted!.after, deleted!.data], ['delete', 'DELETE', b, undefined, b]);
  assert.equal('after' in deleted!, false);
  assert.ok(updated!.lsn > lsn && deleted!.lsn > updated!.lsn);
});

// What comes, in short, until `count` events have come.
async function eventsOf(db: Database, filter: ChangeFilter, count: number): Promise<string[]> {
  const events: string[] = [];
  for await (const event of createCDCSubscription(db, { filter })) {
    const [before, after] = 'table' in event ? [event.before, event.after].map((side) => JSON.stringify(side)) : [];
    const sides = [before, after].filter((side) => side !== undefined).join(' -> ');
    events.push('table' in event ? `${event.op} ${event.table} ${sides}` : event.op);
    if (events.length === count) break;
  }
  return events;
}

test('on request a feed tells where commits begin and end, and what became of tables', async () => {
  const db = await openDatabase();
  await db.exec(`CREATE TABLE t (a); INSERT INTO t VALUES (1), (2); ALTER TABLE t RENAME TO u; DROP TABLE u`);
  const [sql, renamed] = ['{"sql":"CREATE TABLE t (a)"}', '{"sql":"CREATE TABLE \\"u\\" (a)"}'];
  const schema = [`SCHEMA t ${sql}`, `SCHEMA u ${sql} -> ${renamed}`, `SCHEMA u ${renamed}`];
  const inserts = ['INSERT t {"a":1}', 'INSERT t {"a":2}'];
  assert.deepEqual(await eventsOf(db, { schema: true, operations: [] }, 3), schema);
  assert.deepEqual(await eventsOf(db, { transactions: true, schema: true }, 9), [
    ...['BEGIN', schema[0]!, 'COMMIT'],
    ...['BEGIN', ...inserts, 'COMMIT'],
    ...['BEGIN', schema[1]!],
  ]);
  await db.exec('CREATE TABLE t (b)');
  assert.deepEqual(await eventsOf(db, { schema: true, tables: ['T'] }, 4), [schema[0]!, ...inserts, 'SCHEMA t {"sql":"CREATE TABLE t (b)"}']);
});

test('marks have the LSNs around their commit, and its number', async () => {
  const db = await tableDb(2);
  const head = await db.resolve();
  const events = [];
  for await (const event of createCDC(db).subscribe(0n, { filter: { transactions: true, tables: ['t'] } })) {
    events.push(event);
    if (event.lsn === head.lsn) break;
  }
  assert.deepEqual(events.map(({ type }) => type), ['begin', 'commit', 'begin', 'insert', 'insert', 'commit']);
  const [, first, begin, one, two, commit] = events;
  assert.deepEqual([begin!.lsn, one!.lsn, two!.lsn], [first!.lsn, first!.lsn + 1n, first!.lsn + 2n]);
  assert.equal(new Set([begin, one, two, commit].map((event) => event!.txnId)).size, 1);
  assert.notEqual(first!.txnId, commit!.txnId);
  assert.deepEqual(begin!.timestamp, commit!.timestamp);
  assert.deepEqual(Object.keys(commit!).sort(), ['lsn', 'op', 'timestamp', 'txnId', 'type']);
});

test('the types of events follow the filter', async () => {
  const db = await openDatabase();
  const changes: CDCSubscription<ChangeEvent> = createCDC(db).subscribe(0n, { filter: { tables: ['t'], schema: false } });
  const marks: CDCSubscription<ChangeEvent | TransactionEvent> = createCDCSubscription(db, { filter: { transactions: true } });
  const any: CDCSubscription<FeedEvent> = createCDCSubscription(db, {} as SubscriptionOptions);
  // @ts-expect-error A mark has no table.
  const wrong: CDCSubscription<ChangeEvent> = createCDCSubscription(db, { filter: { schema: true, transactions: true } });
  for (const subscription of [changes, marks, any, wrong]) await subscription.close();
});

test('a predicate leaves row changes out, and what it left out is given', async () => {
  const db = await tableDb(10);
  const even = ({ after }: ChangeEvent) => after!['id'] % 2 === 0;
  const filter = { predicate: even, transactions: true };
  const subscription = createCDCSubscription(db, { filter });
  assert.equal(subscription.givenLSN, 0n);
  const ids: unknown[] = [];
  const { lsn } = await db.resolve();
  for await (const event of subscription) {
    assert.equal(subscription.givenLSN, event.lsn);
    if ('key' in event) ids.push(event.after!['id']);
    if (event.lsn === lsn) break;
  }
  assert.deepEqual(ids, [2, 4, 6, 8, 10]);

  const none = createCDCSubscription(db, { filter: { predicate: () => false } });
  const next = none.iterate().next();
  while (none.givenLSN < lsn) await sleep(1);
  await none.close();
  assert.deepEqual(await next, { value: undefined, done: true });
  assert.equal(none.givenLSN, lsn, 'also after its end');
});

test('a predicate that throws ends the subscription', async () => {
  const db = await tableDb(3);
  const events = createCDCSubscription(db, { filter: { predicate: ({ after }) => {
    if (after!['id'] === 2) throw new RangeError('two');
    return true;
  } } }).iterate();
  assert.equal((await events.next()).value!.after!['id'], 1);
  await assert.rejects(events.next(), new RangeError('two'));
  assert.deepEqual(await events.next(), { value: undefined, done: true });
  assert.throws(() => createCDCSubscription(db, { filter: { predicate: 1 as never } }), failsAs(CDCError, 'DOSQL_INVALID_ARGUMENT', /predicate/));
});

test('events of any width arrive whole, however many fit into a batch', async () => {
  const db = await openDatabase();
  const columns = Array.from({ length: 1_990 }, (_, n) => `c${n}`);
  await db.exec(`CREATE TABLE wide (id INTEGER PRIMARY KEY, ${columns}); CREATE TABLE narrow (id INTEGER PRIMARY KEY)`);
  for (let id = 1; id <= 6; ++id) {
    await db.run(`INSERT INTO wide (id, ${columns}) VALUES (?, ${columns.map((_, n) => n + id)})`, [id]);
    await db.run('INSERT INTO narrow VALUES (?)', [id]);
    await db.run('UPDATE wide SET c1989 = ? WHERE id = ?', [`v${id}`, id]);
  }
  const changes = await changesOf(db);
  assert.equal(changes.length, 18);
  for (const [at, { op, before, after }] of changes.entries()) {
    const id = Math.floor(at / 3) + 1;
    assert.equal(after!['id'], id);
    if (op === 'UPDATE') {
      assert.deepEqual([before!['c0'], before!['c1989'], after!['c1989']], [id, 1_989 + id, `v${id}`]);
      assert.deepEqual(Object.keys(after!), ['id', ...columns]);
    }
  }
});

test('the changes of a commit come together, in one order', async () => {
  const db = await tableDb(3);
  await db.transaction(async () => {
    await db.exec("INSERT INTO t VALUES (4, 'new'), (5, 'gone'); DELETE FROM t WHERE id IN (1, 5); UPDATE t SET v = 'x' WHERE id = 2");
  });
  const { lsn } = await db.resolve('main@2');
  const changes = await changesOf(db, { fromLSN: lsn });
  assert.deepEqual(changes.map(line), ['DELETE t 1,row 1 -', 'UPDATE t 2,row 2 2,x', 'INSERT t - 4,new']);
  assert.equal(new Set(changes.map(({ txnId }) => txnId)).size, 1);
});

test('a feed begins behind any change', async () => {
  const db = await tableDb();
  for (let commit = 0; commit < 10; ++commit) await db.exec(`INSERT INTO t (v) VALUES (1), (2), (3)`);
  const lsns = (await changesOf(db)).map(({ lsn }) => lsn);
  assert.equal(lsns.length, 30);
  assert.deepEqual(lsns, [...lsns].sort((a, b) => (a < b ? -1 : 1)));
  for (let at = 0; at < lsns.length; ++at) {
    assert.deepEqual((await changesOf(db, { fromLSN: lsns[at]! })).map(({ lsn }) => lsn), lsns.slice(at + 1));
  }
  assert.equal((await changesOf(db, { fromLSN: Number(lsns[28]) })).length, 1, 'a number will do');
});

test('a filter lets through what it names', async () => {
  const db = await tableDb(2);
  await db.exec("CREATE TABLE u (x); INSERT INTO u VALUES (1); UPDATE t SET v = 'x' WHERE id = 1; DELETE FROM t WHERE id = 2");
  const lines = async (filter: SubscriptionOptions['filter']) => (await changesOf(db, { filter: filter! })).map(line);
  assert.deepEqual(await lines({ tables: ['U'] }), ['INSERT u - 1']);
  const mine = (op: string) => op === 'DELETE' || op === 'UPDATE';
  assert.deepEqual(await lines({ tables: ['t'], operations: ['INSERT', 'DELETE'] }), [
    'INSERT t - 1,row 1', 'INSERT t - 2,row 2', 'DELETE t 2,row 2 -',
  ]);
  for await (const { op } of createCDC(db).subscribe(0n, { filter: { operations: ['UPDATE', 'DELETE'] } })) {
    assert.ok(mine(op));
    if (op === 'DELETE') break;
  }
});

test('rows have the columns that their table had then', async () => {
  const db = await tableDb(1);
  await db.exec("BEGIN; ALTER TABLE t ADD COLUMN w; UPDATE t SET w = 'new'; COMMIT; ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (2, 'b', 'c')");
  const [, updated, inserted] = await changesOf(db);
  assert.deepEqual([updated!.before, updated!.after], [{ id: 1, v: 'row 1' }, { id: 1, v: 'row 1', w: 'new' }]);
  assert.deepEqual([inserted!.table, inserted!.after], ['u', { id: 2, v: 'b', w: 'c' }]);
});

test('values and keys of every kind', async () => {
  const db = await openDatabase();
  const row = {
    big: 2n ** 62n, small: -3, real: 0.5, inf: -Infinity, text: 'Þór 🙂', empty: '', bytes: new Uint8Array([0, 1, 255]), none: null,
    __proto__: null,
  };
  delete (row as any).__proto__;
  const columns = Object.keys(row);
  await db.exec(`CREATE TABLE t (${columns.join()}, "__proto__")`);
  await db.run(`INSERT INTO t (${columns.join()}) VALUES (${columns.map(() => '?').join()})`, Object.values(row));
  await db.exec("CREATE TABLE k (a TEXT, b INTEGER, PRIMARY KEY (b, a)) WITHOUT ROWID; INSERT INTO k VALUES ('x', 1000)");
  const [ofT, ofK] = await changesOf(db);
  for (const column of columns) assert.deepEqual(ofT!.after![column], row[column as keyof typeof row], column);
  assert.deepEqual(Object.keys(ofT!.after!), [...columns, '__proto__']);
  assert.deepEqual(ofT!.key, new Uint8Array([2, 9]), 'of a table without a key the rowid, 1');
  assert.deepEqual(ofK!.key, new Uint8Array([3, 2, 15, 0x03, 0xe8, 0x78]));
  assert.equal(ofK!.key.buffer.byteLength, 6, 'a key has a buffer of its own');
});

test('a branch has its own changes, and a merge is one commit', async () => {
  const db = await tableDb(1);
  await db.branch('x');
  await db.checkout('x');
  await db.exec("INSERT INTO t VALUES (10, 'x'); INSERT INTO t VALUES (11, 'x')");
  await db.checkout('main');
  await db.exec("INSERT INTO t VALUES (2, 'main')");
  assert.deepEqual((await changesOf(db, { branch: 'x' })).map((change) => change.after!['id']), [1, 10, 11]);
  await db.merge('x');
  const changes = await changesOf(db);
  assert.deepEqual(changes.map((change) => change.after!['id']), [1, 2, 10, 11]);
  assert.equal(changes[2]!.txnId, changes[3]!.txnId);
  const nowhere = createCDCSubscription(db, { branch: 'none' });
  await assert.rejects(nowhere.iterate().next(), failsAs(CDCError, 'DOSQL_BRANCH_NOT_FOUND'));
  assert.deepEqual(await nowhere.close(), undefined);
});

test('a snapshot comes first, then what is committed behind it', async () => {
  const db = await tableDb(2);
  await db.run('DELETE FROM t WHERE id = 1');
  const changes = createCDCSubscription(db, { snapshot: true }).iterate();
  const { value: row } = await changes.next();
  assert.deepEqual([row!.op, row!.after, row!.snapshot], ['INSERT', { id: 2, v: 'row 2' }, true]);
  await db.run("UPDATE t SET v = 'x'");
  const { value: change } = await changes.next();
  assert.deepEqual([change!.op, change!.snapshot], ['UPDATE', undefined]);
  await changes.return!();
});

test('what comes is awaited beside JavaScript, and comes at once', async () => {
  const db = await tableDb();
  const changes = createCDC(db).subscribe((await db.resolve()).lsn).iterate();
  let ticks = 0;
  const timer = setInterval(() => ++ticks, 1);
  const next = changes.next();
  await sleep(30);
  assert.ok(ticks > 5, `${ticks} ticks`);
  clearInterval(timer);
  db.prepare("INSERT INTO t VALUES (1, 'a')").run();
  assert.equal(line((await next).value!), 'INSERT t - 1,a');
  for (let id = 2; id < 50; ++id) {
    const [{ value }] = await Promise.all([changes.next(), db.run("INSERT INTO t VALUES (?, '')", [id])]);
    assert.equal(value!.after!['id'], id);
  }
  await changes.return!();
});

test('calls of next() that overlap are answered in their order', async () => {
  const db = await tableDb();
  const changes = createCDC(db).subscribe((await db.resolve()).lsn).iterate();
  const nexts = Array.from({ length: 5 }, () => changes.next());
  await db.exec("INSERT INTO t VALUES (1, ''); INSERT INTO t VALUES (2, ''); BEGIN; INSERT INTO t VALUES (3, ''), (4, ''), (5, ''); COMMIT");
  assert.deepEqual((await Promise.all(nexts)).map(({ value }) => value!.after!['id']), [1, 2, 3, 4, 5]);
  const [late, done] = [changes.next(), changes.return!()];
  assert.deepEqual(await Promise.all([late, done, changes.next()]), Array(3).fill({ value: undefined, done: true }));
});

test('return() and close() end a wait at once', async () => {
  const db = await tableDb(1);
  for (const end of ['return', 'close', 'unopened'] as const) {
    const subscription = createCDCSubscription(db, { fromLSN: (await db.resolve()).lsn });
    const changes = subscription.iterate();
    const next = end === 'unopened' ? undefined : changes.next();
    if (end === 'return') await sleep(20);
    const begin = performance.now();
    if (end === 'return') await changes.return!();
    else await subscription.close();
    assert.ok(performance.now() - begin < 1_000);
    assert.deepEqual(await (next ?? changes.next()), { value: undefined, done: true });
    assert.throws(() => subscription.iterate(), failsAs(CDCError, 'DOSQL_INVALID_ARGUMENT', /one loop/));
    await subscription.close();
  }
  assert.equal(await db.queryOne('SELECT 1 AS one').then((row) => row!['one']), 1);
});

test('a loop that is left lets go of its branch', async () => {
  const db = await tableDb(1);
  await db.branch('x');
  for await (const change of createCDCSubscription(db, { branch: 'x' })) {
    assert.equal(change.table, 't');
    await assert.rejects(db.deleteBranch('x'), fails('DOSQL_INVALID_ARGUMENT'));
    break;
  }
  await db.deleteBranch('x');
});

test('a feed takes no more than it is asked for', async () => {
  const db = await tableDb(10_000);
  const native = createRequire(import.meta.url)(addonFile);
  const { nextChanges } = native;
  let calls = 0;
  native.nextChanges = (feed: number, waits: boolean) => (++calls, nextChanges(feed, waits));
  try {
    const changes = createCDC(db).subscribe().iterate();
    await changes.next();
    await sleep(50);
    assert.equal(calls, 2, 'one batch is fetched ahead');
    for (let taken = 1; taken < 10_000; ++taken) await changes.next();
    assert.ok(calls > 5 && calls < 100, `10,000 changes came in ${calls} batches`);
    await changes.return!();
  } finally {
    native.nextChanges = nextChanges;
  }
});

test('feeds end with their handle, and the database is closed then', async () => {
  const db = await tableDb(1);
  const waiting = createCDC(db).subscribe((await db.resolve()).lsn).iterate();
  const idle = createCDC(db).subscribe().iterate();
  const next = waiting.next();
  await idle.next();
  await db.close();
  await assert.rejects(next, failsAs(CDCConnectionError, 'DOSQL_INTERRUPTED', /closed/));
  assert.deepEqual(await waiting.next(), { value: undefined, done: true }, 'after its error it is over');
  const again = await DB(db.name, { dataFolder, readOnly: true });
  await assert.rejects(idle.next(), failsAs(CDCConnectionError, 'DOSQL_INTERRUPTED', /closed/));
  await again.close();
  await assert.rejects(createCDC(db).subscribe().iterate().next(), failsAs(CDCError, 'DOSQL_INVALID_ARGUMENT', /closed/));
});

test('what is no database, filter or point is refused', async () => {
  const db = await tableDb(1);
  assert.throws(() => createCDC({} as Database), failsAs(CDCError, 'DOSQL_INVALID_ARGUMENT', /DB\(\)/));
  assert.throws(() => createCDCSubscription(undefined as any), failsAs(CDCError, 'DOSQL_INVALID_ARGUMENT'));
  const wrong: object[] = [
    { fromLSN: -1n }, { fromLSN: 2n ** 64n }, { fromLSN: 'x' }, { fromLSN: 0.5 }, { branch: 7 },
    { filter: { tables: 't' } }, { filter: { tables: [1] } }, { filter: { operations: ['insert'] } }, { filter: { operations: 7 } },
  ];
  for (const options of wrong) {
    await assert.rejects(createCDCSubscription(db, options).iterate().next(), failsAs(CDCError, 'DOSQL_INVALID_ARGUMENT'));
  }
});

test('a process that only reads follows the one that writes', async () => {
  const db = await tableDb();
  const source = `import { DB } from '@dotdo/dosql'; import { createCDC } from '@dotdo/dosql/cdc';
    const db = await DB('${db.name}', { dataFolder: ${JSON.stringify(dataFolder)}, readOnly: true });
    for await (const { after } of createCDC(db).subscribe()) { console.log(after.id); if (after.id === 20) break; }`;
  const writing = (async () => {
    for (let id = 1; id <= 20; ++id) {
      await db.run("INSERT INTO t VALUES (?, '')", [id]);
      await sleep(10);
    }
  })();
  const reader = new Worker(
    `const { execFile } = require('node:child_process'); const { parentPort, workerData } = require('node:worker_threads');
     execFile(process.execPath, ['--input-type=module', '--eval', workerData.source], { cwd: workerData.cwd }, (error, out) =>
       parentPort.postMessage(error ? String(error) : out));`,
    { eval: true, workerData: { source, cwd: path.join(import.meta.dirname, '..') } },
  );
  const output = await new Promise<string>((resolve) => reader.once('message', resolve));
  await writing;
  assert.equal(output, Array.from({ length: 20 }, (_, index) => `${index + 1}\n`).join(''));
});

test('a feed that waits keeps the process, and ends with it', () => {
  const run = (rest: string) =>
    spawnSync(process.execPath, ['--input-type=module', '--eval',
      `import { DB } from '@dotdo/dosql'; import { createCDC } from '@dotdo/dosql/cdc';
       const db = await DB('ends', { dataFolder: ${JSON.stringify(dataFolder)} });
       const next = createCDC(db).subscribe((await db.resolve()).lsn).iterate().next();
       ${rest}`], { cwd: path.join(import.meta.dirname, '..'), encoding: 'utf8', timeout: 60_000 });
  const kept = run("setTimeout(() => db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)'), 50).unref(); console.log((await next).value.op);");
  assert.deepEqual([kept.stdout, kept.status], ['INSERT\n', 0], kept.stderr);
  assert.equal(run('setTimeout(() => process.exit(3), 20);').status, 3);
});

test('a thread of node ends while its feed waits', async () => {
  const db = await tableDb();
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads');
     Promise.all([import(workerData.index), import(workerData.cdc)]).then(async ([{ DB }, { createCDC }]) => {
       const db = await DB(workerData.name, { dataFolder: workerData.dataFolder });
       const changes = createCDC(db).subscribe().iterate();
       changes.next();
       setTimeout(() => parentPort.postMessage('waits'), 20);
     });`,
    { eval: true, workerData: { index: import.meta.resolve('@dotdo/dosql'), cdc: import.meta.resolve('@dotdo/dosql/cdc'), name: db.name, dataFolder } },
  );
  await new Promise((resolve) => worker.once('message', resolve));
  await worker.terminate();
  await db.run("INSERT INTO t VALUES (1, '')");
});

test('options of feeds, slots and sessions that are misspelt, and what is no database', async () => {
  const db = await openDatabase();
  const cdc = createCDC(db);
  const any = (value: unknown) => value as any;
  const wrong: (() => unknown)[] = [
    () => createCDCSubscription(db, any({ fromLsn: 5n })),
    () => createCDCSubscription(db, any(null)),
    () => createCDCSubscription(db, any({ snapshot: 'yes' })),
    () => createCDCSubscription(db, { filter: { operations: [] } }),
    () => createCDCSubscription(db, { filter: { tables: [] } }),
    () => createCDCSubscription(db, { filter: any(null) }),
    () => cdc.subscribe(0n, any({ filter: { table: ['t'] } })),
    () => cdc.slots.createSlot('s', 0n, any({ lagSeconds: 5 })),
    () => cdc.slots.createSlot('s', 0n, any(null)),
    () => cdc.slots.subscribeFromSlot('s', any({ tables: ['t'] })),
    () => createCDC(any({})),
  ];
  for (const call of wrong) {
    await assert.rejects(async () => call(), (error) => error instanceof CDCError && error.code === 'DOSQL_INVALID_ARGUMENT', `${call}`);
  }
  const others: (() => unknown)[] = [
    () => createTimeTravelSession(db, any(undefined)),
    () => createTimeTravelSession(db, any({ asof: 'main@1' })),
    () => createTimeTravelSession(any({}), { asOf: 'main@1' }),
    () => createBranchHistoryManager(any(null)),
    () => createBranchHistoryManager(db).getDistance(any(undefined), 'main'),
    () => compareBranches(any({}), 'main', 'main'),
    () => createCOWBackend(any(null)),
    () => relative(any(undefined)),
    () => DB('x', any(null)),
    () => DB(any(5n), { dataFolder }),
    () => DB('x', any({ dataFolder: 5 })),
    () => DB('x', { dataFolder: '' }),
  ];
  for (const call of others) await assert.rejects(async () => call(), fails('DOSQL_INVALID_ARGUMENT'), `${call}`);
  await assert.rejects(DB('x', { dataFolder: import.meta.filename }), fails('DOSQL_IO', /cannot be made/));
});

test('what may pass is what the engine says may pass', async () => {
  const db = await openDatabase();
  const { slots } = createCDC(db);
  await slots.createSlot('s');
  await slots.subscribeFromSlot('s');
  await assert.rejects(slots.subscribeFromSlot('s'), (error) => error instanceof CDCConnectionError && error.retryable);
  await assert.rejects(slots.getSlot('none'), (error) => error instanceof CDCError && !(error instanceof CDCConnectionError) && !error.retryable);
  const { cdcFailure } = await import(new URL('../dist/errors.js', import.meta.url).href);
  for (const [code, retryable] of [['DOSQL_DISK_FULL', true], ['DOSQL_OUTCOME_UNKNOWN', false]] as const) {
    assert.equal(cdcFailure(new DoSQLError(code, 'x', { retryable })) instanceof CDCConnectionError, retryable);
  }
});
