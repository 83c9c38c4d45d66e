// The blocks that merge.

import assert from 'node:assert/strict';
import { type Database, DB } from '../../packages/dosql/dist/index.js';
import { givenConsole, givenDb, type Scenario } from './scenario.ts';

// main and feature-x have parted: each changed the price of item 1, feature-x removed item 2, which main changed,
// main removed item 3, which feature-x changed, and feature-x alone changed item 4.
async function parted(name: string): Promise<Database> {
  const db = await DB(name);
  await db.exec(`CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price REAL);
    INSERT INTO items VALUES (1, 'pen', 1.5), (2, 'ink', 4.0), (3, 'nib', 2.0), (4, 'pad', 3.0)`);
  await db.branch('feature-x');
  await db.checkout('feature-x');
  await db.exec(`UPDATE items SET price = 2.0 WHERE id = 1; DELETE FROM items WHERE id = 2;
    UPDATE items SET price = 2.5 WHERE id = 3; UPDATE items SET price = 3.5 WHERE id = 4`);
  await db.checkout('main');
  await db.exec(`UPDATE items SET price = 1.75 WHERE id = 1; UPDATE items SET price = 4.5 WHERE id = 2;
    DELETE FROM items WHERE id = 3`);
  return db;
}

const items = async (db: Database) => (await db.prepare('SELECT id, price FROM items ORDER BY id').raw().all()) as number[][];
const ofMain = [[1, 1.75], [2, 4.5], [4, 3]];
const ofFeature = [[1, 2], [3, 2.5], [4, 3.5]];
const newest = async (db: Database) => (await db.resolve()).version;

/** `myApp` is on main, and its branch feature-x has a column and a user more. */
export const mergeScenarios = (myApp: () => Database): Record<number, Scenario> => ({
  14: {
    prepare: async () => {
      const db = myApp();
      await db.run("INSERT INTO users (id, name) VALUES (1000, 'of main')");
      await db.checkout('feature-x');
      return { db };
    },
    before: givenConsole + givenDb,
    after: 'export { result };',
    check: async ({ exports, printed, given }) => {
      const { result } = exports;
      assert.deepEqual([result.alreadyMerged, result.fastForward, result.conflicts], [false, false, []]);
      assert.deepEqual(result.tables, [{ table: 'users', schema: 'alter', inserted: 1, updated: 0, deleted: 0, conflicts: 0 }]);
      assert.deepEqual(printed, []);
      assert.deepEqual(await given.db.query('SELECT name, role FROM users WHERE id > 40'), [
        { name: 'Admin', role: 'admin' },
        { name: 'of main', role: null },
      ]);
      assert.deepEqual([await given.db.currentBranch(), await newest(given.db)], ['main', result.version.version]);
      assert.equal((await given.db.compareBranches('feature-x', 'main')).sourceAhead, 0);
    },
    again: [
      {
        prepare: async () => ({ db: await parted('parted-auto') }),
        check: async ({ exports, printed, given }) => {
          assert.deepEqual(exports['result'].conflicts.map((conflict: any) => conflict.kind).sort(), [
            'delete_update',
            'update_delete',
            'update_update',
          ]);
          assert.equal(printed.length, 1);
          assert.equal(printed[0]![1], exports['result'].conflicts);
          assert.deepEqual(await items(given.db), ofMain, 'nothing was changed');
        },
      },
    ],
  },
  15: {
    after: `
      export const merge = (db: import('@dotdo/dosql').Database, options: MergeOptions) => db.merge('feature-x', options);`,
    check: async ({ exports }) => {
      const merge = exports['merge'];
      const after = async (name: string, options: object) => {
        const db = await parted(name);
        const result = await merge(db, options);
        return { db, result, items: await items(db) };
      };
      assert.deepEqual((await after('strategy-auto', { strategy: 'auto' })).items, ofMain);
      assert.deepEqual((await after('strategy-ours', { strategy: 'ours' })).items, [[1, 1.75], [2, 4.5], [4, 3.5]]);
      assert.deepEqual((await after('strategy-theirs', { strategy: 'theirs' })).items, ofFeature);
      const manual = await after('strategy-manual', { strategy: 'manual' });
      assert.deepEqual([manual.result.conflicts.length, manual.items], [3, ofMain]);
      assert.deepEqual(await manual.db.listConflicts(), manual.result.conflicts, 'they wait');

      const squashed = await after('squashed', { strategy: 'theirs', squash: true, message: 'as agreed' });
      assert.deepEqual(squashed.items, ofFeature);
      const [log] = await squashed.db.query('SELECT version, message FROM dosql_log ORDER BY version DESC LIMIT 1');
      assert.deepEqual(log, { version: squashed.result.version.version, message: 'as agreed' });
    },
  },
  16: {
    prepare: async () => ({ db: await parted('by-hand') }),
    before: givenConsole + givenDb,
    after: 'export { result };',
    check: async ({ exports, printed, given }) => {
      assert.equal(exports['result'].conflicts.length, 3);
      assert.deepEqual(
        printed.filter((_, line) => line % 3 === 0).map(([text]) => String(text).match(/items for key (\d)/)?.[1]).sort(),
        ['1', '2', '3'],
      );
      const sides = (text: RegExp) => printed.filter(([label]) => text.test(String(label))).map(([, side]) => side);
      assert.deepEqual(sides(/^Main/), [{ price: 1.75 }, { id: 2, name: 'ink', price: 4.5 }, null]);
      assert.deepEqual(sides(/^Feature/), [{ price: 2 }, null, { id: 3, name: 'nib', price: 2.5 }]);
      assert.deepEqual(await items(given.db), ofFeature);
      assert.deepEqual(await given.db.query("SELECT name FROM items WHERE id = 3"), [{ name: 'nib' }]);
      await assert.rejects(given.db.completeMerge(), /no merge is waiting/);
      assert.equal((await given.db.compareBranches('feature-x', 'main')).sourceAhead, 0);
    },
  },
});
