// Where databases are, who shares them, and how processes and threads end.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { DB, type Scope } from '@dotdo/dosql';
import { createTimeTravelSession } from '@dotdo/dosql/timetravel';
import { addonFile, dataFolder, fails, openDatabase, repository, temporaryFolder } from './support.ts';

// Runs a module in a process of its own.
function run(source: string, environment: Record<string, string> = {}) {
  return spawnSync(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: path.join(import.meta.dirname, '..'),
    env: { ...process.env, ...environment },
    encoding: 'utf8',
    timeout: 60_000,
  });
}

test('a database is a directory of the data folder, which is made', async () => {
  const folder = path.join(temporaryFolder(), 'deep', 'data');
  const db = await DB('my-app', { dataFolder: folder });
  assert.equal(db.path, path.join(folder, 'my-app'));
  assert.equal(statSync(folder).mode & 0o777, 0o700);
  await db.close();
  const elsewhere = temporaryFolder();
  const done = run(`import { DB } from '@dotdo/dosql'; const db = await DB('named'); console.log(db.path); await db.close();`, {
    DOSQL_DATA: elsewhere,
  });
  assert.equal(done.stdout.trim(), path.join(elsewhere, 'named'), done.stderr);
  assert.ok(existsSync(path.join(elsewhere, 'named')));
});

test('names that are no names', async () => {
  for (const name of ['', '.', '..', 'a/b', '../a', 'a\\b', 'a\0b', undefined, 7, null]) {
    await assert.rejects(DB(name as string, { dataFolder }), fails('DOSQL_INVALID_ARGUMENT', /name of a database/));
  }
});

test('options that are no options', async () => {
  for (const options of [{ poolBytes: -1 }, { poolBytes: 'x' }, { readOnly: 1 }, { allowFiles: 'yes' }, { busyTimeoutMs: 1.5 }, { cacheBytes: -1 }]) {
    await assert.rejects(DB('options', { dataFolder, ...(options as object) }), fails('DOSQL_INVALID_ARGUMENT', /must be a/));
  }
  const misspelt = { dataFolder, poolbytes: 1 };
  await assert.rejects(DB('options', misspelt), fails('DOSQL_INVALID_ARGUMENT', /no option 'poolbytes'/));
  await assert.rejects(DB('none', { dataFolder, readOnly: true }), fails('DOSQL_NOT_FOUND'));
  assert.equal(existsSync(path.join(dataFolder, 'none')), false);
});

test('handles of one name share one engine, however the path is written', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  const other = await DB(db.name, { dataFolder: path.join(dataFolder, '..', path.basename(dataFolder)) });
  await db.exec('CREATE TEMP TABLE mine (x)');
  assert.deepEqual(await other.query('SELECT x FROM t'), [{ x: 1 }]);
  await assert.rejects(other.query('SELECT * FROM mine'), fails('DOSQL_SQL'), 'each has a connection of its own');
  await assert.rejects(DB(db.name, { dataFolder, poolBytes: 1 << 20 }), fails('DOSQL_INVALID_ARGUMENT', /another poolBytes/));
  await assert.rejects(DB(db.name, { dataFolder, readOnly: true }), fails('DOSQL_INVALID_ARGUMENT', /another readOnly/));
  await db.close();
  await other.run('INSERT INTO t VALUES (2)');
  await other.close();
  const again = await DB(db.name, { dataFolder, readOnly: true, poolBytes: 1 << 20 });
  assert.deepEqual(await again.query('SELECT x FROM t'), [{ x: 1 }, { x: 2 }]);
  await assert.rejects(again.run('DELETE FROM t'), fails('DOSQL_READ_ONLY'));
  await again.close();
});

test('a handle caches as much as it was allowed to, and sessions as much', async () => {
  const cacheKib = async (scope: Scope) => -(await scope.queryOne<{ cache_size: number }>('PRAGMA cache_size'))!.cache_size;
  const db = await openDatabase();
  assert.equal(await cacheKib(db), 16_000, 'as in better-sqlite3');
  const session = await createTimeTravelSession(db, { asOf: 'current' });
  assert.equal(await cacheKib(session), 16_000);
  await session.close();
  const small = await openDatabase({ cacheBytes: 1 << 20 });
  assert.equal(await cacheKib(small), 1_024);
  const other = await openDatabase({ name: small.name });
  assert.equal(await cacheKib(other), 1_024, 'the first handle decides');
  await assert.rejects(DB(small.name, { dataFolder, cacheBytes: 1 }), fails('DOSQL_INVALID_ARGUMENT', /another cacheBytes/));
  await db.exec('PRAGMA cache_size = 10');
  assert.equal(await cacheKib(db), -10, 'pages');
});

test('files outside of the database need a permission', async () => {
  const db = await openDatabase();
  const file = path.join(dataFolder, 'other.sqlite');
  await assert.rejects(db.run('ATTACH ? AS other', [file]), fails('DOSQL_FORBIDDEN'));
  const free = await openDatabase({ allowFiles: true });
  await free.run('ATTACH ? AS other', [file]);
});

test('another process is told who has the database, and may read it', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (7)');
  const source = (options: string) => `import { DB } from '@dotdo/dosql';
    try {
      const db = await DB('${db.name}', { dataFolder: ${JSON.stringify(dataFolder)}, ${options} });
      console.log(JSON.stringify(await db.query('SELECT x FROM t')));
    } catch (error) { console.log(error.code, error.message); }`;
  assert.match(run(source('')).stdout, new RegExp(`DOSQL_LOCKED .*${process.pid}`));
  assert.equal(run(source('readOnly: true')).stdout.trim(), '[{"x":7}]');
});

test('a process ends by itself with handles open, and what it wrote is there', async () => {
  const folder = temporaryFolder();
  const environment = { DOSQL_DATA: folder };
  const done = run(`import { DB } from '@dotdo/dosql';
    const db = await DB('left');
    await db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
    db.prepare('SELECT * FROM t').iterate().next();`, environment);
  assert.deepEqual([done.status, done.stderr], [0, '']);
  const exits = run(`import { DB } from '@dotdo/dosql';
    const db = await DB('left');
    await db.run('INSERT INTO t VALUES (2)');
    db.query('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n').catch(() => {});
    setTimeout(() => process.exit(3), 20);`, environment);
  assert.deepEqual([exits.status, exits.stderr], [3, ''], 'a running query does not keep it');
  const waits = run(`import { DB } from '@dotdo/dosql';
    const db = await DB('left');
    db.query('SELECT count(*) AS n FROM t').then((rows) => console.log(rows[0].n));`, environment);
  assert.equal(waits.stdout.trim(), '2', 'a pending call does');
});

test('handles that are forgotten are closed', async () => {
  const folder = temporaryFolder();
  const done = run(`import { DB } from '@dotdo/dosql';
    import { setTimeout } from 'node:timers/promises';
    import v8 from 'node:v8';
    import vm from 'node:vm';
    v8.setFlagsFromString('--expose-gc');
    const gc = vm.runInNewContext('gc');
    const db = await DB('kept');
    const connections = async () => (await db.queryOne("SELECT value FROM dosql_status WHERE name = 'connections'")).value;
    await (async () => { for (let i = 0; i < 20; ++i) await (await DB('kept')).query('SELECT 1'); })();
    for (let turn = 0; turn < 100 && await connections() > 1; ++turn) { gc(); await setTimeout(10); }
    console.log(await connections());`, { DOSQL_DATA: folder });
  assert.equal(done.stdout.trim(), '1', done.stderr);
});

test('threads of node share the engine, and may end at any time', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (x)');
  const source = (then: string) => `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.index).then(async ({ DB }) => {
      const db = await DB(workerData.name, { dataFolder: workerData.dataFolder });
      for (let n = 0; n < 20; ++n) await db.run('INSERT INTO t VALUES (?)', [n]);
      parentPort.postMessage('written');
      ${then}
    });`;
  const start = (then: string) =>
    new Worker(source(then), { eval: true, workerData: { index: import.meta.resolve('@dotdo/dosql'), name: db.name, dataFolder } });
  const ended = (worker: Worker) =>
    new Promise<number>((resolve, reject) => worker.on('exit', resolve).on('error', reject));
  assert.deepEqual(await Promise.all([ended(start('')), ended(start('await db.close();'))]), [0, 0]);
  const busy = start('for (;;) await db.run("INSERT INTO t VALUES (1)");');
  await new Promise((resolve) => busy.once('message', resolve));
  await busy.terminate();
  assert.ok((await db.queryOne('SELECT count(*) AS n FROM t'))!['n'] >= 60);
  await db.run('DELETE FROM t');
});

test('another SQLite in the process is another one', async () => {
  const require = createRequire(path.join(repository, 'third_party', 'package.json'));
  const Better = require('better-sqlite3');
  const { DatabaseSync } = await import('node:sqlite');
  const db = await openDatabase();
  const better = new Better(path.join(dataFolder, 'better.sqlite'));
  const builtin = new DatabaseSync(path.join(dataFolder, 'builtin.sqlite'));
  for (const other of [better, builtin]) other.exec('CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  await db.exec('CREATE TABLE t (x); INSERT INTO t VALUES (2)');
  for (let round = 0; round < 100; ++round) {
    assert.deepEqual(await db.query('SELECT x FROM t'), [{ x: 2 }]);
    assert.equal(better.prepare('SELECT x FROM t').get().x, 1);
    assert.equal(builtin.prepare('SELECT x FROM t').get()!['x'], 1);
  }
  const option = "SELECT sqlite_compileoption_used('MAX_ATTACHED=125') AS ours";
  assert.deepEqual(
    [db.prepare(option).get()!['ours'], better.prepare(option).get().ours, builtin.prepare(option).get()!['ours']],
    [1, 0, 0],
  );
  better.close();
  builtin.close();
});

test('the addon needs nothing but the C library, and shows nothing but its entry points', () => {
  const needed = execFileSync('objdump', ['-p', addonFile], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => /NEEDED\s+(\S+)/.exec(line)?.[1] ?? []);
  for (const library of needed) {
    assert.match(library, /^(libc|libm|libpthread|libdl|ld-linux-x86-64)\.so/, 'every Linux has it');
  }
  const shown = execFileSync('nm', ['-D', '--defined-only', addonFile], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => line.split(' ')[2] ?? []);
  assert.deepEqual(shown.sort(), ['napi_register_module_v1', 'node_api_module_get_api_version_v1'].filter((name) => shown.includes(name)));
  const wanted = execFileSync('nm', ['-D', '--undefined-only', addonFile], { encoding: 'utf8' });
  assert.doesNotMatch(wanted, /sqlite3_|GLIBCXX/);
});
