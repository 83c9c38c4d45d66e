// For each block of the document: what stands around it when it runs, and what must be so afterwards; or what it
// waits for.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { type Database, DB, type TimePoint } from '../../packages/dosql/dist/index.js';
import { createBranchHistoryManager, createTimeTravelSession } from '../../packages/dosql/dist/timetravel.js';
import { feedScenarios } from './feed_scenarios.ts';
import { mergeScenarios } from './merge_scenarios.ts';
import { givenConsole, givenDb, type Scenario, typed } from './scenario.ts';

const binaries = process.env['DOSQL_BINARY_DIR']!;

function makeHistory(name: string, ...more: string[]): string {
  const directory = path.join(process.env['DOSQL_DATA']!, name);
  const made = spawnSync(path.join(binaries, 'spec_history'), [directory, ...more], { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  return directory;
}

async function historyDb(name: string): Promise<Database> {
  makeHistory(name);
  return DB(name);
}

const idsAt = (version: number) => Array.from({ length: version - 1 }, (_, index) => index + 2);

async function ids(scope: { query: Database['query'] }, table = 'users'): Promise<number[]> {
  return (await scope.query<{ id: number }>(`SELECT id FROM ${table} ORDER BY id`)).map(({ id }) => id);
}

// The version that owns an LSN, or the newest one before it.
async function versionAtLsn(db: Database, lsn: number): Promise<number> {
  return (await db.queryOne('SELECT max(version) AS v FROM dosql_log WHERE lsn_first <= ?', [lsn]))!['v'];
}

const rpc = { waitsFor: 'RPC' };
const vectors = { waitsFor: 'vector search' };

let myApp: Database;

export const scenarios: Record<number, Scenario> = {
  1: vectors,
  2: {
    prepare: async () => {
      const db = await DB('embeddings');
      await db.exec('CREATE TABLE documents (id INTEGER PRIMARY KEY, content TEXT NOT NULL, embedding BLOB)');
      return { getEmbedding: async () => new Float32Array([0.5, -1, 2]) };
    },
    before: typed('getEmbedding', '(text: string) => Promise<Float32Array>'),
    after: 'export { db };',
    check: async ({ exports }) => {
      const [row] = await exports['db'].query('SELECT content, embedding FROM documents');
      assert.equal(row.content, 'Hello, world!');
      assert.deepEqual([...new Float32Array(row.embedding.buffer)], [0.5, -1, 2]);
    },
  },
  3: vectors,
  4: { waitsFor: 'full text and vector search' },
  5: vectors,
  6: {
    after: 'export { point1, point2, point3, point4, point5, point6 };',
    check: async ({ exports }) => {
      const db = await historyDb('points');
      const expected = [await versionAtLsn(db, 12345), 4, 4, 5, undefined, 35];
      for (const [index, version] of expected.entries()) {
        const point = exports[`point${index + 1}`] as TimePoint;
        const session = await createTimeTravelSession(db, { asOf: point });
        assert.deepEqual(await ids(session), version === undefined ? [...idsAt(38), 99] : idsAt(version), point.type);
        await session.close();
      }
    },
  },
  7: {
    sql: async () => {
      const db = await historyDb('points-sql');
      const atLsn = await versionAtLsn(db, 12345);
      await db.close();
      const lines = (users: number[]) => users.map((id) => `${id}|user ${id}\n`).join('');
      const prints = [idsAt(4), idsAt(atLsn), idsAt(5), [...idsAt(38), 99], idsAt(35)].map(lines);
      return { directory: db.path, prints };
    },
  },
  8: {
    prepare: async () => ({ made: makeHistory('analytics') }),
    after: 'export { db, users, orders, session };',
    check: async ({ exports }) => {
      assert.deepEqual(exports['users'].map((row: any) => row.id), idsAt(4));
      assert.deepEqual(exports['orders'].map((row: any) => row.id), idsAt(4));
      await assert.rejects(exports['session'].query('SELECT 1'), /closed/);
      assert.deepEqual(await ids(exports['db']), idsAt(40));
    },
  },
  9: {
    prepare: async () => ({ deps: await historyDb('compared') }),
    before: "import { timestamp } from '@dotdo/dosql';\n" + givenConsole + typed('deps', "import('@dotdo/dosql').Database"),
    after: 'export { distance, comparison };',
    check: ({ exports, printed }) => {
      assert.equal(exports['distance'], 31);
      assert.deepEqual(printed, [['Feature is 1 commits ahead'], ['Feature is 2 commits behind']]);
    },
  },
  10: {
    sql: async () => {
      const directory = makeHistory('history', '42');
      const day = (days: number) => `2024-01-${String(days).padStart(2, '0')} 00:00:00.000000`;
      const life = [`42|Ann|10|${day(7)}|${day(17)}\n`, `42|Anne|20|${day(17)}|${day(27)}\n`];
      const users = idsAt(34).map((id) => `${id}|user ${id}\n`);
      return { directory, prints: [life, [...users, '42|Ann\n', '42|Anne\n']].map((rows) => rows.join('')) };
    },
  },
  11: {
    prepare: async () => {
      makeHistory('my-app');
      const db = await DB('my-app');
      await db.deleteBranch('feature-x', { force: true });
      return {};
    },
    after: 'export { db, createCOWBackend, COWBackend };',
    check: async ({ exports }) => {
      myApp = exports['db'];
      const branches = await myApp.listBranches();
      const fork = (name: string) => branches.find((branch) => branch.name === name)?.forkVersion;
      assert.equal(fork('feature-x'), 40);
      assert.equal(fork('experiment'), 5);
      assert.equal(fork('rollback'), await versionAtLsn(myApp, 12345));
      assert.ok(exports['createCOWBackend'](myApp) instanceof exports['COWBackend']);
    },
  },
  12: {
    prepare: async () => ({ db: myApp }),
    before: givenConsole + givenDb,
    after: 'export { branches };',
    check: ({ exports, printed }) => {
      assert.deepEqual(printed, [['feature-x']]);
      assert.deepEqual(
        exports['branches'].map((branch: any) => [branch.name, branch.current]),
        [['experiment', false], ['feature-x', true], ['main', false], ['rollback', false]],
      );
    },
  },
  13: {
    prepare: async () => ({ db: myApp }),
    before: givenDb,
    after: 'export { columns };',
    check: async ({ exports }) => {
      assert.deepEqual(exports['columns'].map((column: any) => column.name), ['id', 'name']);
      await myApp.checkout('feature-x');
      assert.deepEqual(await myApp.query('SELECT name, role FROM users WHERE role IS NOT NULL'), [
        { name: 'Admin', role: 'admin' },
      ]);
      await myApp.checkout('main');
    },
  },
  ...mergeScenarios(() => myApp),
  17: {
    prepare: async () => ({ manager: createBranchHistoryManager(await historyDb('compared-again')) }),
    before: givenConsole + typed('manager', "import('@dotdo/dosql/timetravel').BranchHistoryManager"),
    check: ({ printed }) => {
      assert.deepEqual(printed, [
        [{ source: 'feature-x', target: 'main', sourceAhead: 1, sourceBehind: 2, diverged: true, canFastForward: false }],
      ]);
    },
  },
  18: {
    prepare: async () => {
      const db = await historyDb('tidied');
      await db.deleteBranch('feature-x', { force: true });
      await db.branch('feature-x', { from: 'main@39' });
      await db.branch('abandoned');
      const other = await DB('tidied');
      await other.checkout('abandoned');
      await other.run('DELETE FROM users');
      await other.close();
      return { db };
    },
    before: givenDb,
    check: async ({ given }) => {
      assert.deepEqual((await given.db.listBranches()).map((branch: any) => branch.name), ['main']);
    },
  },
  ...feedScenarios,
  22: { waitsFor: 'lakehouse streaming' },
  29: rpc,
  30: rpc,
  31: rpc,
  32: rpc,
  33: rpc,
  34: { waitsFor: 'URL tables' },
  35: { waitsFor: 'URL tables' },
  36: { waitsFor: 'URL tables' },
  37: { waitsFor: 'procedures' },
  38: { waitsFor: 'procedures' },
  39: { waitsFor: 'procedures' },
  40: { waitsFor: 'sharding' },
  41: { waitsFor: 'sharding' },
  42: { waitsFor: 'sharding' },
  43: {
    after: 'export { orderUserFK, ordersTable };',
    check: ({ exports }) => {
      const { orderUserFK, ordersTable } = exports;
      assert.deepEqual([orderUserFK.name, orderUserFK.onDelete], ['fk_orders_user_id', 'CASCADE']);
      assert.deepEqual(ordersTable.foreignKeys, [orderUserFK]);
      assert.deepEqual(ordersTable.columns.map((column: any) => column.name), ['id', 'user_id', 'total', 'created_at']);
    },
  },
  44: {
    after: 'export { createOrdersTableMigration };',
    check: async ({ exports }) => {
      const db = await DB('migrated');
      await db.exec('CREATE TABLE users (id INTEGER PRIMARY KEY); CREATE TABLE products (id INTEGER PRIMARY KEY)');
      await exports['createOrdersTableMigration'](db);
      const keys = await db.query('SELECT "table", "from", "to", on_delete, on_update FROM pragma_foreign_key_list(?)', ['orders']);
      assert.deepEqual(keys, [
        { table: 'products', from: 'product_id', to: 'id', on_delete: 'RESTRICT', on_update: 'CASCADE' },
        { table: 'users', from: 'user_id', to: 'id', on_delete: 'CASCADE', on_update: 'NO ACTION' },
      ]);
      await db.exec('INSERT INTO users VALUES (1); INSERT INTO products VALUES (1)');
      await db.run('INSERT INTO orders (user_id, product_id, total) VALUES (1, 1, 9.5)');
      await assert.rejects(db.run('DELETE FROM products'), /FOREIGN KEY/);
      await db.run('DELETE FROM users');
      assert.deepEqual(await db.query('SELECT * FROM orders'), []);
    },
  },
  45: {
    after: 'export { constraint };',
    check: ({ exports }) => {
      assert.equal(
        exports['constraint'],
        'CONSTRAINT fk_comments_post_id FOREIGN KEY (post_id) REFERENCES posts (id) ON DELETE CASCADE',
      );
    },
  },
  46: {
    after: `
      type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
      export const same: Same<ForeignKeySchema, import('@dotdo/dosql/rpc').ForeignKeySchema> = true;`,
    check: ({ exports }) => assert.equal(exports['same'], true),
  },
  47: rpc,
};
