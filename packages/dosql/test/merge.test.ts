// Merging branches: what is given, what is refused, and deciding about conflicts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Database, type MergeConflict, MergeConflictError, snapshot } from '@dotdo/dosql';
import { conflictsOf } from '../dist/merge.js';
import { fails, openDatabase } from './support.ts';

// main has a table, and branch `draft` is made and checked out.
async function drafted(setUp: string): Promise<Database> {
  const db = await openDatabase();
  await db.exec(setUp);
  await db.branch('draft');
  await db.checkout('draft');
  return db;
}

// What each branch does since they parted; afterwards the handle is on main.
async function parted(setUp: string, draft: string, main: string): Promise<Database> {
  const db = await drafted(setUp);
  await db.exec(draft);
  await db.checkout('main');
  await db.exec(main);
  return db;
}

const notes = `CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT, body TEXT);
  INSERT INTO notes VALUES (1, 'one', ''), (2, 'two', ''), (3, 'three', '')`;
const all = (db: Database) => db.prepare('SELECT * FROM notes ORDER BY id').raw().all();
const version = async (db: Database) => (await db.resolve()).version;

test('changes of both branches come together, cell by cell', async () => {
  const db = await parted(
    notes,
    "UPDATE notes SET title = 'ONE' WHERE id = 1; DELETE FROM notes WHERE id = 3; INSERT INTO notes VALUES (9, 'nine', '')",
    "UPDATE notes SET body = 'text' WHERE id = 1",
  );
  const foretold = await db.merge('draft', { dryRun: true });
  assert.deepEqual(all(db)[0], [1, 'one', 'text'], 'a dry run changes nothing');
  const result = await db.merge('draft', { message: 'the draft' });
  assert.deepEqual(all(db), [[1, 'ONE', 'text'], [2, 'two', ''], [9, 'nine', '']]);
  assert.deepEqual(result, {
    action: 'merge',
    alreadyMerged: false,
    fastForward: false,
    version: await db.resolve(),
    tables: [{ table: 'notes', schema: null, inserted: 1, updated: 1, deleted: 1, conflicts: 0 }],
    conflicts: [],
    renumberHelps: false,
  });
  assert.deepEqual(foretold.tables, result.tables);
  assert.equal((await db.queryOne('SELECT message FROM dosql_log LIMIT 1'))!['message'], 'the draft');
  assert.equal((await db.merge('draft')).alreadyMerged, true);
  await db.deleteBranch('draft');
});

test('what became of a table or view is told, also where none of its rows changed', async () => {
  const db = await parted(
    notes,
    "UPDATE notes SET title = 'ONE' WHERE id = 1",
    'ALTER TABLE notes ADD COLUMN more; CREATE VIEW titles AS SELECT title FROM notes',
  );
  await db.checkout('draft');
  const { tables } = await db.merge('main');
  const counts = { inserted: 0, updated: 0, deleted: 0, conflicts: 0 };
  assert.deepEqual(tables, [
    { table: 'notes', schema: 'alter', ...counts },
    { table: 'titles', schema: 'create', ...counts },
  ]);
});

test('a branch without commits of its own is fast-forwarded', async () => {
  const db = await drafted(notes);
  await db.exec("UPDATE notes SET title = 'x'");
  await db.checkout('main');
  const result = await db.merge('draft');
  assert.deepEqual([result.fastForward, result.tables, result.version.branch], [true, [], 'main']);
  assert.equal(result.version.version, await version(db));
  assert.deepEqual((await db.query('SELECT DISTINCT title FROM notes')), [{ title: 'x' }]);
});

test('it says where renumbering keeps both rows', async () => {
  const db = await parted(notes, "INSERT INTO notes VALUES (4, 'draft', '')", "INSERT INTO notes VALUES (4, 'main', '')");
  const collision = await db.merge('draft');
  assert.deepEqual([collision.conflicts[0]!.kind, collision.renumberHelps], ['key_collision', true]);
  assert.deepEqual([(await db.merge('draft', { dryRun: true })).renumberHelps], [true]);
  const done = await db.merge('draft', { renumber: true });
  assert.deepEqual([done.conflicts, done.renumberHelps], [[], false]);
  assert.deepEqual(all(db).slice(3), [[4, 'main', ''], [5, 'draft', '']]);
  const clash = await parted(notes, "UPDATE notes SET title = 'x'", "UPDATE notes SET title = 'y'");
  assert.equal((await clash.merge('draft')).renumberHelps, false, 'of two that are one row');
});

test('a conflict changes nothing, unless a side is preferred', async () => {
  const clash = () =>
    parted(notes, "UPDATE notes SET title = 'theirs' WHERE id = 1", "UPDATE notes SET title = 'ours' WHERE id = 1");
  const db = await clash();
  const before = await version(db);
  const { conflicts } = await db.merge('draft');
  assert.deepEqual(conflicts, [
    {
      id: 1,
      table: 'notes',
      key: 1,
      kind: 'update_update',
      base: { title: 'one' },
      main: { title: 'ours' },
      branch: { title: 'theirs' },
    },
  ]);
  assert.equal(await version(db), before);
  assert.deepEqual(await db.listConflicts().catch((error) => error.code), 'DOSQL_NOT_FOUND', 'nothing waits');
  await db.merge('draft', { strategy: 'ours' });
  assert.equal(all(db)[0]![1], 'ours');
  const other = await clash();
  await other.merge('draft', { strategy: 'theirs' });
  assert.equal(all(other)[0]![1], 'theirs');
});

test('conflicts wait for decisions: sides, deletion, values', async () => {
  const db = await parted(
    `${notes}; INSERT INTO notes VALUES (4, 'four', ''), (5, 'five', ''), (6, 'six', '')`,
    `UPDATE notes SET title = 'theirs ' || id WHERE id < 6; DELETE FROM notes WHERE id = 6`,
    `UPDATE notes SET title = 'ours ' || id`,
  );
  const { conflicts } = await db.merge('draft', { strategy: 'manual' });
  assert.equal(conflicts.length, 6);
  assert.deepEqual(await db.listConflicts(), conflicts);
  const of = (key: number): MergeConflict => conflicts.find((conflict) => conflict.key === key)!;
  await db.resolveConflict(of(1).id, 'ours');
  await db.resolveConflict(of(2).id, of(2).branch);
  await db.resolveConflict(of(3).id, 'delete');
  await db.resolveConflict(of(4).id, { title: 'both', body: 'agreed' });
  await db.resolveConflict(of(5).id, 'the one column');
  await assert.rejects(db.completeMerge(), (error) => {
    assert.ok(error instanceof MergeConflictError && fails('DOSQL_MERGE_CONFLICT', /nothing was merged: a conflict is undecided: update_delete in notes, key 6/)(error));
    assert.deepEqual(error.conflicts.map((conflict) => conflict.key), [6], 'nothing was decided about it');
    assert.deepEqual(error.conflicts.map((conflict) => conflict.id), [of(6).id], 'known by the id that it has');
    return true;
  });
  assert.equal(all(db)[1]![1], 'ours 2', 'so nothing was changed');
  const [waiting] = (await db.listConflicts()).filter((conflict) => conflict.key === 6);
  assert.equal(waiting!.branch, null);
  await db.resolveConflict(waiting!.id, waiting!.branch);
  const done = await db.completeMerge({ message: 'by hand' });
  assert.deepEqual(done.conflicts, []);
  assert.deepEqual(all(db), [
    [1, 'ours 1', ''],
    [2, 'theirs 2', ''],
    [4, 'both', 'agreed'],
    [5, 'the one column', ''],
  ]);
});

test('a value that is one side means that side, whatever kind of conflict it is', async () => {
  const db = await parted(
    'CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT UNIQUE); CREATE VIEW v AS SELECT 1 AS a',
    "INSERT INTO users VALUES (1, 'a@x'); DROP VIEW v; CREATE VIEW v AS SELECT 2 AS a",
    "INSERT INTO users VALUES (2, 'a@x'); DROP VIEW v; CREATE VIEW v AS SELECT 3 AS a",
  );
  const { conflicts } = await db.merge('draft', { strategy: 'manual' });
  assert.deepEqual(conflicts.map(({ kind }) => kind).sort(), ['schema', 'unique']);
  for (const conflict of conflicts) await db.resolveConflict(conflict.id, conflict.branch);
  assert.deepEqual((await db.completeMerge()).conflicts, []);
  assert.deepEqual(await db.query('SELECT id, mail, a FROM users, v'), [{ id: 1, mail: 'a@x', a: 2 }]);
});

test('several rows that are in the way are an array, there and back', async () => {
  const db = await parted(
    'CREATE TABLE users (id INTEGER PRIMARY KEY, mail TEXT UNIQUE, photo BLOB UNIQUE, weight REAL)',
    "INSERT INTO users VALUES (1, 'a@x', x'01', 0.5)",
    "INSERT INTO users VALUES (2, 'a@x', x'02', 2), (3, 'b@x', x'01', NULL)",
  );
  const [conflict] = (await db.merge('draft', { strategy: 'manual' })).conflicts;
  assert.deepEqual(conflict!.main, [
    { id: 2, mail: 'a@x', photo: new Uint8Array([2]), weight: 2 },
    { id: 3, mail: 'b@x', photo: new Uint8Array([1]), weight: null },
  ]);
  await db.resolveConflict(conflict!.id, conflict!.main);
  assert.deepEqual(await db.query('SELECT resolution FROM dosql_conflicts'), [{ resolution: 'ours' }]);
  const others = db.resolveConflict(conflict!.id, [{ id: 2 }]);
  await assert.rejects(others, fails('DOSQL_INVALID_ARGUMENT', /an array, which no column can have/));
  await assert.rejects(db.resolveConflict(conflict!.id, [{ id: {} as any }]), fails('DOSQL_INVALID_ARGUMENT', /column id is an object/));
  await db.resolveConflict(conflict!.id, conflict!.branch);
  await db.completeMerge();
  assert.deepEqual(await db.query('SELECT id FROM users'), [{ id: 1 }]);
});

test('values of conflicts are values of JavaScript, there and back', async () => {
  const setUp = 'CREATE TABLE t (k BLOB, n INTEGER, v, PRIMARY KEY (k, n))';
  const big = 2n ** 62n + 1n;
  const db = await parted(setUp, '', '');
  const insert = (value: unknown) => db.run('INSERT INTO t VALUES (?, ?, ?)', [new Uint8Array([0, 255]), big, value]);
  await db.checkout('draft');
  await insert(Infinity);
  await db.checkout('main');
  await insert('"1234567890123456789", [1e99, 12345678901234567890] \\');
  const { conflicts } = await db.merge('draft', { strategy: 'manual' });
  const [conflict] = conflicts;
  assert.deepEqual([conflict!.kind, conflict!.key, conflict!.base], ['insert_insert', [new Uint8Array([0, 255]), big], null]);
  assert.deepEqual(conflict!.branch, { k: new Uint8Array([0, 255]), n: big, v: Infinity });
  assert.equal(conflict!.main.v, '"1234567890123456789", [1e99, 12345678901234567890] \\');
  const decided: [any, string][] = [
    [-big, '-4611686018427387905'], [0.25, '0.25'], [1e300, '1e+300'], [-Infinity, '{"real":"-inf"}'], [NaN, 'null'],
    [new Uint8Array([1, 255]), '{"blob":"01ff"}'], [new Uint16Array([258]), '{"blob":"0201"}'], ['"\\\n', '"\\"\\\\\\n"'],
    [null, 'null'], [true, '1'], [new Date(0), '"1970-01-01 00:00:00.000"'],
  ];
  for (const [value, json] of decided) {
    await db.resolveConflict(conflict!.id, { v: value });
    assert.deepEqual(await db.query('SELECT resolution FROM dosql_conflicts'), [{ resolution: `{"v":${json}}` }]);
  }
  await db.resolveConflict(conflict!.id, { n: big, k: new Uint8Array([0, 255]), v: Infinity });
  assert.deepEqual(await db.query('SELECT resolution FROM dosql_conflicts'), [{ resolution: 'theirs' }], 'in any order');
  await db.resolveConflict(conflict!.id, { v: new Uint8Array([7, 8]) });
  await db.completeMerge();
  assert.deepEqual(await db.query('SELECT v FROM t'), [{ v: new Uint8Array([7, 8]) }]);
});

test('a merge that waits can be forgotten', async () => {
  const db = await parted(notes, "UPDATE notes SET title = 'x'", "UPDATE notes SET title = 'y'");
  await db.merge('draft', { strategy: 'manual' });
  await assert.rejects(db.merge('draft', { strategy: 'manual' }), fails('DOSQL_INVALID_ARGUMENT', /waiting already/));
  await db.abortMerge();
  await assert.rejects(db.abortMerge(), fails('DOSQL_NOT_FOUND'));
  await assert.rejects(db.completeMerge(), fails('DOSQL_NOT_FOUND'));
  await assert.rejects(db.resolveConflict(1, 'ours'), fails('DOSQL_NOT_FOUND'));
});

test('a merge inside a transaction is a part of it', async () => {
  const db = await parted(notes, "UPDATE notes SET title = 'x' WHERE id = 1", "UPDATE notes SET title = 'y' WHERE id = 2");
  const undone = db.transaction(async () => {
    await db.merge('draft');
    assert.equal(all(db)[0]![1], 'x');
    throw new Error('undone');
  });
  await assert.rejects(undone, /undone/);
  assert.equal(all(db)[0]![1], 'one');
  await db.transaction(() => db.merge('draft'));
  assert.deepEqual(all(db).map((row) => row[1]), ['x', 'y', 'three']);
});

test('a squash has the changes and not the history', async () => {
  const db = await parted(notes, "UPDATE notes SET title = 'a'; UPDATE notes SET title = 'b'", 'DELETE FROM notes WHERE id = 3');
  const before = await version(db);
  const result = await db.merge('draft', { squash: true, strategy: 'theirs' });
  assert.equal(result.version.version, before + 1);
  assert.equal((await db.compareBranches('draft', 'main')).sourceAhead, 0);
});

test('commits are undone and picked', async () => {
  const db = await openDatabase();
  await db.exec(notes);
  await db.run("UPDATE notes SET title = 'changed' WHERE id = 1");
  const changed = await db.resolve();
  await db.run('DELETE FROM notes WHERE id = 3');
  const reverted = await db.revert(snapshot(`main@${changed.version}`));
  assert.deepEqual(reverted.tables, [{ table: 'notes', schema: null, inserted: 0, updated: 1, deleted: 0, conflicts: 0 }]);
  assert.deepEqual(all(db), [[1, 'one', ''], [2, 'two', '']]);
  const picked = await db.cherryPick(changed.lsn);
  assert.deepEqual([reverted.action, picked.action], ['revert', 'pick']);
  assert.deepEqual(picked.version, await db.resolve());
  assert.equal(all(db)[0]![1], 'changed');
  const { conflicts } = await db.revert('main@2');
  assert.deepEqual(conflicts.map(({ kind, key }) => [kind, key]), [['update_delete', 1]], 'it was changed since');
  await assert.rejects(db.cherryPick(2n ** 60n), fails('DOSQL_VERSION_NOT_FOUND'));
  await assert.rejects(db.revert('main@99'), fails('DOSQL_VERSION_NOT_FOUND'));
});

test('undoing and picking take what merging takes', async () => {
  const db = await openDatabase();
  await db.exec(notes);
  await db.run("UPDATE notes SET title = 'changed' WHERE id = 1");
  const changed = await db.resolve();
  await db.run("UPDATE notes SET title = 'again' WHERE id = 1");
  const before = await db.resolve();
  const dry = await db.revert(`main@${changed.version}`, { dryRun: true });
  assert.deepEqual(dry.conflicts.map(({ kind, main, branch }) => [kind, main, branch]), [
    ['update_update', { title: 'again' }, { title: 'one' }],
  ]);
  assert.equal((await db.revert(`main@${changed.version}`, { strategy: 'ours' })).alreadyMerged, true);
  assert.equal((await db.cherryPick(changed.lsn, { strategy: 'theirs', dryRun: true })).tables[0]!.updated, 1);
  assert.deepEqual(await db.resolve(), before, 'nothing was done');
  const waits = await db.revert(`main@${changed.version}`, { strategy: 'manual', message: 'as it was' });
  await assert.rejects(db.cherryPick(changed.lsn, { strategy: 'manual' }), fails('DOSQL_INVALID_ARGUMENT', /a revert of 'main@\d+' is waiting/));
  await db.resolveConflict(waits.conflicts[0]!.id, waits.conflicts[0]!.branch as any);
  const completed = await db.completeMerge();
  assert.deepEqual([waits.action, completed.action], ['revert', 'revert']);
  assert.equal(completed.version.version, before.version + 1);
  assert.equal(all(db)[0]![1], 'one');
  assert.deepEqual(await db.query('SELECT message FROM dosql_log ORDER BY version DESC LIMIT 1'), [{ message: 'as it was' }]);
  await assert.rejects(db.revert('main@2', { squash: true } as any), fails('DOSQL_INVALID_ARGUMENT', /no option 'squash' of revert/));
  await assert.rejects(db.cherryPick(changed.lsn, { strategy: 'best' as 'auto' }), fails('DOSQL_INVALID_ARGUMENT', /'best' is no strategy/));
});

test('what cannot be merged or decided is told', async () => {
  const db = await parted(notes, "UPDATE notes SET title = 'x'", "UPDATE notes SET title = 'y'");
  await assert.rejects(db.merge('none'), fails('DOSQL_BRANCH_NOT_FOUND'));
  await assert.rejects(db.merge('main'), fails('DOSQL_INVALID_ARGUMENT', /itself/));
  await assert.rejects(db.merge('draft', { strategy: 'best' as 'auto' }), fails('DOSQL_INVALID_ARGUMENT', /'best' is no strategy/));
  await assert.rejects(db.merge('draft', { message: 'x'.repeat(70_000) }), fails('DOSQL_INVALID_ARGUMENT', /message/));
  const { conflicts } = await db.merge('draft', { strategy: 'manual' });
  const { id } = conflicts[0]!;
  await assert.rejects(db.resolveConflict(99, 'ours'), fails('DOSQL_NOT_FOUND', /no conflict 99/));
  await assert.rejects(db.resolveConflict(1.5, 'ours'), fails('DOSQL_INVALID_ARGUMENT', /whole number/));
  for (const wrong of [undefined, Symbol('s'), { title: {} }, { title: undefined }, new Date(NaN)]) {
    await assert.rejects(db.resolveConflict(id, wrong as any), fails('DOSQL_INVALID_ARGUMENT'));
  }
  await assert.rejects(db.resolveConflict(id, { nothing: 1 }), fails('DOSQL_INVALID_ARGUMENT', /no column nothing/));
});

test('many conflicts are all told', async () => {
  const db = await openDatabase();
  const count = 8_000;
  await db.exec(`CREATE TABLE t (id INTEGER PRIMARY KEY, v);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) INSERT INTO t SELECT i, 0 FROM n`);
  await db.branch('b');
  await db.run('UPDATE t SET v = 1');
  await db.checkout('b');
  await db.run('UPDATE t SET v = 2');
  await db.checkout('main');
  const { conflicts } = await db.merge('b', { dryRun: true });
  assert.equal(conflicts.length, count);
  assert.deepEqual([conflicts.at(-1)!.key, conflicts.at(-1)!.main, conflicts.at(-1)!.branch], [count, { v: 1 }, { v: 2 }]);
});

test('each value of a list of conflicts is read once', () => {
  const count = 500;
  const values = Array.from({ length: count }, (_, i) => [i + 1, 't', `${i}`, 'update_update', '0', '1', '2']).flat();
  let reads = 0;
  const counted = new Proxy(values, {
    get(list, name) {
      if (typeof name === 'string' && /^\d+$/.test(name)) ++reads;
      return Reflect.get(list, name);
    },
  });
  assert.equal(conflictsOf(counted).length, count);
  // Copying what is left of the list for each would read it as often as there are conflicts.
  assert.equal(reads, values.length);
});

test('options that are misspelt or of another type are refused, not passed over', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (n)');
  await db.branch('b');
  await db.checkout('b');
  await db.run('INSERT INTO t VALUES (1)');
  await db.checkout('main');
  const wrong: [() => Promise<unknown>, RegExp][] = [
    [() => db.merge('b', { dryrun: true } as any), /no option 'dryrun' of merge/],
    [() => db.merge('b', { dryRun: 1 } as any), /dryRun must be a boolean/],
    [() => db.merge('b', { squash: 'yes' } as any), /squash must be a boolean/],
    [() => db.merge('b', null as any), /must be an object/],
    [() => db.branch('c', { form: 'main@1' } as any), /no option 'form'/],
    [() => db.branch('c', null as any), /must be an object/],
    [() => db.deleteBranch('b', { force: 1 } as any), /force must be a boolean/],
    [() => db.deleteBranch('b', null as any), /must be an object/],
    [() => db.createSnapshot('s', { of: 'main@1' } as any), /no option 'of'/],
    [() => db.completeMerge({ msg: '' } as any), /no option 'msg'/],
    [() => db.revert(undefined as any), /commit to revert is needed/],
  ];
  for (const [call, why] of wrong) await assert.rejects(call(), fails('DOSQL_INVALID_ARGUMENT', why), `${call}`);
  assert.deepEqual(await db.query('SELECT n FROM t'), []);
  assert.deepEqual((await db.listBranches()).map(({ name }) => name), ['b', 'main']);
});

test('merging leaves lastInsertRowId alone', async () => {
  const db = await openDatabase();
  await db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY)');
  await db.branch('b');
  await db.checkout('b');
  await db.run('INSERT INTO t VALUES (7)');
  await db.checkout('main');
  await db.run('INSERT INTO t VALUES (40)');
  await db.merge('b');
  assert.deepEqual(await db.run('UPDATE t SET n = n'), { changes: 2, lastInsertRowId: 40 });
});
