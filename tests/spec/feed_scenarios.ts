// The blocks that follow changes. Most of them never end by themselves: what stands around them ends them by an error,
// or closes the database under them.

import assert from 'node:assert/strict';
import {
  CDCConnectionError,
  type ChangeEvent,
  createCDC,
  createCDCSubscription,
} from '../../packages/dosql/dist/cdc.js';
import { type Database, DB } from '../../packages/dosql/dist/index.js';
import { givenConsole, type Scenario, typed } from './scenario.ts';

const givenBackend = typed('backend', "import('@dotdo/dosql').Database");
const backendType = "type Backend = import('@dotdo/dosql').Database;\n";
const eventType = "type ChangeEvent = import('@dotdo/dosql/cdc').ChangeEvent;\n";
const givenSleep = typed('sleep', '(ms: number) => Promise<void>');

class Enough extends Error {}

// Throws after so many calls.
function limit(calls: number): () => void {
  let left = calls;
  return () => {
    if (--left < 0) throw new Enough('enough');
  };
}

// A slot from the beginning, and `count` commits of a row each.
async function withRows(name: string, count: number): Promise<Database> {
  const db = await DB(name);
  await db.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)');
  for (let id = 1; id <= count; ++id) await db.run('INSERT INTO users VALUES (?, ?)', [id, `user ${id}`]);
  await createCDC(db).slots.createSlot('my-consumer', 0n);
  return db;
}

// Another handle of a database, for the block; with it goes what the block left open.
const anotherHandle = (db: Database) => DB(db.name);

// Of the users, each of which was inserted once.
async function lsnsOf(db: Database): Promise<bigint[]> {
  const users = db.prepare('SELECT count(*) FROM users').pluck().get();
  const lsns: bigint[] = [];
  for await (const { lsn } of createCDCSubscription(db)) {
    if (lsns.push(lsn) === users) break;
  }
  return lsns;
}

const acknowledged = async (db: Database) => (await createCDC(db).slots.getSlot('my-consumer')).acknowledgedLSN;

// The LSN with which the slot goes on.
async function resumesAt(db: Database): Promise<bigint> {
  for await (const { lsn } of await createCDC(db).slots.subscribeFromSlot('my-consumer')) return lsn;
  return assert.fail();
}

export const feedScenarios: Record<number, Scenario> = {
  19: {
    prepare: async () => {
      const db = await DB('followed');
      await db.exec(`CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'Ann');
        UPDATE users SET name = 'Anne'; DELETE FROM users; INSERT INTO users VALUES (2, 'Bo')`);
      return { backend: db, printing: limit(11) };
    },
    before: givenConsole + givenBackend,
    ends: Enough,
    check: ({ printed }) => {
      assert.deepEqual(printed.map(([, value]) => value), [
        'INSERT', 'users', { id: 1, name: 'Ann' },
        'UPDATE', 'users', { id: 1, name: 'Anne' },
        'DELETE', 'users', undefined,
        'INSERT', 'users', { id: 2, name: 'Bo' },
      ]);
    },
  },
  20: {
    prepare: async () => {
      const db = await DB('filtered');
      await db.exec(`CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE orders (id INTEGER PRIMARY KEY);
        CREATE TABLE other (x);
        INSERT INTO users VALUES (1, 'Ann'); INSERT INTO other VALUES (1); UPDATE users SET name = 'Anne';
        DELETE FROM users; INSERT INTO orders VALUES (7)`);
      return { backend: db, printing: limit(2) };
    },
    before: givenConsole + givenBackend,
    ends: Enough,
    check: ({ printed }) => {
      assert.deepEqual(printed.map((line) => line.slice(1)), [
        [{ id: 1, name: 'Ann' }],
        [{ id: 1, name: 'Ann' }, '->', { id: 1, name: 'Anne' }],
        [{ id: 7 }],
      ]);
    },
  },
  21: {
    prepare: async () => {
      const db = await withRows('slotted', 5);
      await createCDC(db).slots.dropSlot('my-consumer');
      const seen: ChangeEvent[] = [];
      const enough = limit(3);
      const processEvent = async (event: ChangeEvent) => {
        enough();
        seen.push(event);
      };
      return { backend: db, processEvent, seen };
    },
    before: givenBackend + typed('processEvent', '(event: unknown) => Promise<void>'),
    ends: Enough,
    check: async ({ given }) => {
      const lsns = await lsnsOf(given.backend);
      assert.deepEqual(given.seen.map((event: ChangeEvent) => event.lsn), lsns.slice(0, 3));
      assert.equal(await acknowledged(given.backend), lsns[2]);
      assert.equal(await resumesAt(given.backend), lsns[3]);
    },
  },
  23: {
    after: `
      export const given = (event: import('@dotdo/dosql/cdc').ChangeEvent): ChangeEvent => event;`,
    check: async ({ exports }) => {
      const db = await DB('one-event');
      await db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO t VALUES (7, 'x'); UPDATE t SET name = 'y'");
      const { lsn } = await db.resolve('main@2');
      for await (const event of createCDC(db).subscribe(lsn)) {
        const { type, table, txnId, timestamp, before, after, key } = exports['given'](event);
        assert.deepEqual([type, table, before, after], ['update', 't', { id: 7, name: 'x' }, { id: 7, name: 'y' }]);
        assert.equal(typeof txnId, 'string');
        assert.ok(timestamp instanceof Date && Math.abs(timestamp.getTime() - Date.now()) < 60_000);
        assert.deepEqual(key, new Uint8Array([2, 1, 7]), "a record of SQLite's with the integer 7");
        break;
      }
    },
  },
  24: {
    before: givenConsole + backendType + typed('processEventWithRetry', '(event: unknown, config: unknown) => Promise<void>'),
    prepare: async () => {
      const db = await withRows('resilient', 5);
      const seen: bigint[] = [];
      const fails: Record<number, () => Error> = {
        3: () => new CDCConnectionError('DOSQL_IO', 'the connection broke'),
        6: () => new Enough('enough'),
      };
      const processEventWithRetry = async (event: ChangeEvent) => {
        seen.push(event.lsn);
        const error = fails[seen.length]?.();
        if (error !== undefined) throw error;
      };
      // Somebody else has the slot until the second retry.
      const other = await createCDC(db).slots.subscribeFromSlot('my-consumer');
      let retries = 0;
      const printing = (text: unknown) => {
        if (/failed/.test(String(text)) && ++retries === 2) void other.close();
      };
      return { db, seen, processEventWithRetry, printing };
    },
    after: 'export { createResilientCDCConsumer, defaultRetryConfig };',
    check: async ({ exports, printed, given }) => {
      const config = { ...exports['defaultRetryConfig'], baseDelayMs: 10 };
      const lsns = await lsnsOf(given.db);
      const consumer = await exports['createResilientCDCConsumer'](given.db, 'my-consumer', config);
      await assert.rejects(consumer.connect(), Enough);
      assert.deepEqual(given.seen, [lsns[0], lsns[1], lsns[2], lsns[2], lsns[3], lsns[4]], 'it resumed with what failed');
      assert.equal(await acknowledged(given.db), lsns[3]);
      assert.equal(await resumesAt(given.db), lsns[4]);
      assert.deepEqual(printed.map(([text]) => /retry (\d)/.exec(String(text))?.[1]), ['1', '2', '1'], 'counted anew after a success');

      const other = await createCDC(given.db).slots.subscribeFromSlot('my-consumer');
      const impatient = await exports['createResilientCDCConsumer'](given.db, 'my-consumer', { ...config, maxRetries: 3, baseDelayMs: 1 });
      await assert.rejects(impatient.connect(), /after 3 retries/);
      await other.close();
      const lost = await exports['createResilientCDCConsumer'](given.db, 'no-such-slot', config);
      await assert.rejects(lost.connect(), (error: any) => error.code === 'DOSQL_NOT_FOUND' && error.name === 'CDCError');
    },
  },
  25: {
    before: givenConsole + backendType + givenSleep,
    prepare: async () => {
      const slept: number[] = [];
      return { db: await withRows('dead-letters', 4), slept, sleep: async (ms: number) => void slept.push(ms) };
    },
    after: 'export { CDCConsumerWithDLQ };',
    check: async ({ exports, given }) => {
      const lsns = await lsnsOf(given.db);
      const backend = await anotherHandle(given.db);
      const consumer = new exports['CDCConsumerWithDLQ'](backend);
      const tried = new Map<bigint, number>();
      const processor = async ({ lsn }: ChangeEvent) => {
        tried.set(lsn, (tried.get(lsn) ?? 0) + 1);
        if (lsn === lsns[1]) throw new Error('never');
        if (lsn === lsns[2] && tried.get(lsn) === 1) throw new Error('once');
      };
      const ended = assert.rejects(consumer.consumeWithDLQ('my-consumer', processor), CDCConnectionError);
      while ((await acknowledged(given.db)) < lsns[3]!) await new Promise((resolve) => setTimeout(resolve, 5));
      await backend.close();
      await ended;
      assert.deepEqual([...tried], [[lsns[0], 1], [lsns[1], 3], [lsns[2], 2], [lsns[3], 1]]);
      assert.deepEqual(given.slept, [200, 400, 200]);
      const [dead, ...more] = consumer.getDeadLetterQueue();
      assert.deepEqual([dead.event.lsn, dead.event.after, dead.attempts, more], [lsns[1], { id: 2, name: 'user 2' }, 3, []]);
      const refuse = async () => {
        throw new Error('still not');
      };
      assert.deepEqual(await consumer.reprocessDeadLetterQueue(refuse), { processed: 0, failed: 1 });
      assert.equal(consumer.getDeadLetterQueue()[0].attempts, 4);
      assert.deepEqual(await consumer.reprocessDeadLetterQueue(async () => {}), { processed: 1, failed: 0 });
      assert.deepEqual(consumer.getDeadLetterQueue(), []);
    },
  },
  26: {
    before:
      givenConsole + backendType + eventType +
      'interface DurableObjectStorage { get<T>(key: string): Promise<T | undefined>; put(key: string, value: unknown): Promise<void> }\n',
    prepare: async () => {
      const db = await withRows('checkpoints', 0);
      await db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)
        INSERT INTO users SELECT i, 'user ' || i FROM n`);
      return { db };
    },
    after: 'export { createRecoverableCDCConsumer };',
    check: async ({ exports, printed, given }) => {
      const lsns = await lsnsOf(given.db);
      const stored = new Map<string, any>();
      const storage = {
        get: async (key: string) => stored.get(key),
        put: async (key: string, value: unknown) => void stored.set(key, value),
      };
      const runUntil = async (crash: bigint) => {
        const seen: bigint[] = [];
        const processor = async ({ lsn }: ChangeEvent) => {
          if (lsn === crash) throw new Enough('crash');
          seen.push(lsn);
        };
        await assert.rejects(exports['createRecoverableCDCConsumer'](given.db, storage, processor), Enough);
        return seen;
      };
      assert.deepEqual(await runUntil(lsns[1500]!), lsns.slice(0, 1500));
      const checkpoint = () => stored.get('cdc_checkpoint');
      assert.deepEqual([checkpoint().lsn, checkpoint().processedCount], [lsns[999], 1000]);
      assert.deepEqual(await runUntil(lsns[2200]!), lsns.slice(1000, 2200), 'it resumed behind the checkpoint');
      assert.deepEqual([checkpoint().lsn, checkpoint().processedCount], [lsns[1999], 2000]);
      assert.deepEqual(await runUntil(lsns[2400]!), lsns.slice(2000, 2400));
      assert.deepEqual(
        printed.map(([text]) => String(text).match(/LSN: (\d+)/)?.[1]),
        [0n, lsns[999], lsns[999], lsns[1999], lsns[1999]].map(String),
      );
    },
  },
  27: {
    before:
      "import { createCDC } from '@dotdo/dosql/cdc';\n" + givenConsole + backendType + eventType + givenSleep +
      typed('Date', '{ now(): number }'),
    prepare: async () => {
      let now = 1_000_000;
      const sleep = async (ms: number) => {
        now += ms;
      };
      return { db: await withRows('breaker', 20), sleep, Date: { now: () => now } };
    },
    after: 'export { consumeWithCircuitBreaker };',
    check: async ({ exports, printed, given }) => {
      const lsns = await lsnsOf(given.db);
      const seen: bigint[] = [];
      const done: bigint[] = [];
      const processor = async ({ lsn }: ChangeEvent) => {
        seen.push(lsn);
        // What it calls is down from the third event on, for five calls.
        if (seen.length >= 3 && seen.length < 8) throw new Error('down');
        done.push(lsn);
      };
      const backend = await anotherHandle(given.db);
      const ended = assert.rejects(exports['consumeWithCircuitBreaker'](backend, 'my-consumer', processor), CDCConnectionError);
      while ((await acknowledged(given.db)) < lsns[19]!) await new Promise((resolve) => setTimeout(resolve, 5));
      await backend.close();
      await ended;
      // Open with the seventh event, which sleeps 5 s; so do those that are refused, until 30 s have passed.
      assert.equal(printed.length, 6);
      assert.deepEqual(seen, [...lsns.slice(0, 7), ...lsns.slice(12)], 'an open breaker lets nothing through');
      assert.deepEqual(done, [lsns[0], lsns[1], ...lsns.slice(12)]);
      assert.equal(await acknowledged(given.db), lsns[19]);
    },
  },
  28: {
    before:
      givenConsole + backendType + eventType + givenBackend +
      'interface DurableObject {}\ninterface Env {}\n' +
      'interface DurableObjectState { blockConcurrencyWhile(body: () => Promise<void>): void }\n',
    prepare: async () => ({ backend: await withRows('graceful', 6) }),
    after: 'export { GracefulCDCConsumer };',
    check: async ({ exports, printed, given }) => {
      const db: Database = given.backend;
      const lsns = await lsnsOf(db);
      const consumer = new exports['GracefulCDCConsumer'](db, 'my-consumer');
      const seen: bigint[] = [];
      const processor = async ({ lsn }: ChangeEvent) => {
        seen.push(lsn);
        if (lsn === lsns[2]) await consumer.shutdown(processor);
      };
      await consumer.start(processor);
      assert.deepEqual(seen, lsns.slice(0, 3), 'the event at hand was dealt with, and no other');
      assert.equal(await acknowledged(db), lsns[2]);
      assert.match(String(printed.at(-1)), /Processed 0 pending/);
      await consumer.shutdown(processor);
      assert.deepEqual(seen, lsns.slice(0, 4), 'the one that was held back is dealt with');
      assert.match(String(printed.at(-1)), /Processed 1 pending/);
      assert.equal(await resumesAt(db), lsns[4]);

      let blocked: Promise<void> | undefined;
      new exports['CDCConsumerDO']({ blockConcurrencyWhile: (body: () => Promise<void>) => (blocked = body()) }, {});
      await blocked;
      assert.match(String(printed.at(-1)), /Processed 0 pending/);
    },
  },
};
