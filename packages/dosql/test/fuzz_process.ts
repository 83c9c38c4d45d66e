// fuzz_process.ts package|addon SEED ROUNDS: calls functions with random arguments, and prints how many calls there
// were and how many were refused.

import { createRequire } from 'node:module';
import path from 'node:path';
import { branch, DB, DoSQLError, lsn, relative, snapshot, timestamp } from '@dotdo/dosql';
import { createCDC, createCDCSubscription } from '@dotdo/dosql/cdc';
import { compareBranches, createBranchHistoryManager, createTimeTravelSession } from '@dotdo/dosql/timetravel';

const [target, seedText, roundsText] = process.argv.slice(2);
let state = Number(seedText) >>> 0;
const rounds = Number(roundsText);

// mulberry32
function random(below: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
}
const pick = <T>(from: readonly T[]): T => from[random(from.length)]!;

const detached = new ArrayBuffer(8);
const onDetached = new Uint8Array(detached);
structuredClone(detached, { transfer: [detached] });
const resizable = new (ArrayBuffer as any)(16, { maxByteLength: 32 });
const outOfBounds = new Uint8Array(resizable, 8, 8);
resizable.resize(4);
const revoked = Proxy.revocable([], {});
revoked.revoke();
const longArray: unknown[] = [];
longArray[5_000] = 1;

const statements = [
  'SELECT 1', 'SELECT ?', 'SELECT :a, ?', 'SELECT * FROM t', 'INSERT INTO t VALUES (?, ?)', 'SELECT', '', '--',
  'BEGIN', 'COMMIT', 'ROLLBACK', 'CREATE BRANCH x', 'DROP BRANCH x FORCE', 'CHECKOUT main', 'CHECKOUT x', 'PRAGMA user_version = ?',
  "SELECT * FROM t FOR SYSTEM_TIME AS OF SNAPSHOT ?", 'DELETE FROM t RETURNING *', 'SELECT zeroblob(70000), 9223372036854775807, NULL, 1.5',
  'CREATE TABLE IF NOT EXISTS t (a, b)', 'DROP TABLE IF EXISTS t', 'ALTER TABLE t ADD COLUMN c', 'VACUUM', 'SELECT 1; SELECT 2',
  'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i, i FROM n', '\0', '\ud800',
];

function value(depth = 0): any {
  const kind = random(depth > 2 ? 20 : 27);
  switch (kind) {
    case 0: return undefined;
    case 1: return null;
    case 2: return random(2) === 1;
    case 3: return random(10);
    case 4: return pick([NaN, Infinity, -0, 1e308, -1, 2 ** 53, 2 ** 31, 2 ** 32, 2 ** 24, 2 ** 24 + 1, 2 ** 24 + 2, 1.5]);
    case 5: return pick([0n, -1n, 2n ** 63n, 2n ** 64n, -(2n ** 63n), 2n ** 200n]);
    case 6: return pick(['', 'main', 'x', 'main@1', 'main@999', 'current', 'lsn', 'text', 'branch', 'auto', 'manual', 'theirs', 'delete', 'INSERT', 't', 'slot', 'a'.repeat(600), '\0', '🙂', '\udfff']);
    case 7:
    case 8: return pick(statements);
    case 9: return Symbol('s');
    case 10: return () => { throw new Error('called'); };
    case 11: return new Date(pick([0, NaN, 8.64e15, -8.64e15]));
    case 12: return pick([new Uint8Array(3), onDetached, outOfBounds, new Float64Array(2), new DataView(new ArrayBuffer(2)), detached]);
    case 13: return new Uint8Array(new SharedArrayBuffer(4));
    case 14: return pick([revoked.proxy, longArray, new Map([['a', 1]]), /x/, new Error('x'), new WeakMap(), globalThis.process]);
    case 15: return new Proxy({}, { get() { throw new Error('trap'); }, ownKeys() { throw new Error('trap'); } });
    case 16: return Object.defineProperty([], '0', { get() { throw new Error('getter'); } });
    case 17: return Object.create(null);
    case 18: return pick([lsn(5n), timestamp('2026-01-01'), snapshot('main@1'), branch('x'), relative({ versionOffset: -1 })]);
    case 19: return AbortSignal.abort();
    case 20:
    case 21:
    case 22: return Array.from({ length: random(4) }, () => value(depth + 1));
    case 23:
    case 24: return { a: value(depth + 1), b: value(depth + 1) };
    case 25: return { [pick(['fromLSN', 'filter', 'tables', 'operations', 'predicate', 'transactions', 'schema', 'snapshot', 'strategy', 'squash', 'message', 'from', 'fromLSN', 'at', 'force', 'signal', 'asOf', 'scope', 'branch', 'type', 'lsn'])]: value(depth + 1) };
    default: return { type: pick(['lsn', 'timestamp', 'snapshot', 'branch', 'relative']), lsn: value(3), branch: value(3), versionOffset: value(3) };
  }
}

let calls = 0;
let refused = 0;
const pending = new Set<Promise<unknown>>();

// What is thrown must be an error of ours, or of what the arguments threw.
function judge(error: unknown): void {
  ++refused;
  if (error instanceof DoSQLError && error.code !== 'DOSQL_INTERNAL') return;
  if (error instanceof TypeError || (error instanceof Error && /^(trap|getter|called)$/.test(error.message))) return;
  console.error('an unexpected error', error);
  process.exitCode = 1;
}

function call(does: () => unknown): void {
  ++calls;
  try {
    const result = does();
    if (!(result instanceof Promise)) return;
    const settled: Promise<unknown> = result.catch(judge).finally(() => pending.delete(settled));
    pending.add(settled);
  } catch (error) {
    judge(error);
  }
}

const values = () => Array.from({ length: random(5) }, () => value());

async function fuzzPackage(): Promise<void> {
  const open = () => DB('fuzzed', { busyTimeoutMs: 50 });
  let db = await open();
  let prepared: any[] = [];
  for (let round = 0; round < rounds; ++round) {
    const object: any = random(3) === 0 && prepared.length > 0 ? pick(prepared) : db;
    const name = pick(methodsOf(object));
    call(() => {
      const result = object[name](...(random(2) === 0 ? [pick(statements), ...values()] : values()));
      if (name === 'prepare') prepared.push(result);
      if (name === 'iterate') return random(2) === 0 ? result.next() : [...result].length;
      return result;
    });
    if (random(10) === 0) call(() => createTimeTravelSession(db, value()).then((session) => session.close()));
    if (random(10) === 0) call(() => createBranchHistoryManager(db).getDistance(value(), value(), value()));
    if (random(20) === 0) call(() => compareBranches(db, value(), value()));
    if (random(5) === 0) fuzzChanges(db);
    if (random(20) === 0) await Promise.allSettled(pending);
    if (random(500) === 0) {
      await Promise.allSettled(pending);
      await db.exec('ROLLBACK').catch(() => {});
      await db.close();
      db = await open();
      prepared = random(2) === 0 ? [] : prepared;
    }
  }
  await Promise.allSettled(pending);
  await db.exec('ROLLBACK').catch(() => {});
  await db.close();
}

// Some changes of a feed, and what can be asked of slots.
function fuzzChanges(db: Awaited<ReturnType<typeof DB>>): void {
  const { slots } = createCDC(db);
  call(async () => {
    const changes = createCDCSubscription(db, random(2) === 0 ? { fromLSN: 0n, filter: value() ?? {} } : value()).iterate();
    const stops = setTimeout(() => void changes.return!(), 5);
    for (let taken = random(4); taken > 0; --taken) call(() => changes.next());
    await changes.next().finally(() => clearTimeout(stops));
    await changes.return!();
  });
  const name = pick(methodsOf(slots));
  call(async () => {
    const result = await (slots as any)[name](...(random(2) === 0 ? [pick(['slot', 'other']), ...values()] : values()));
    if (name === 'subscribeFromSlot') setTimeout(() => void result.close(), 2);
  });
}

function methodsOf(object: object): string[] {
  const names = new Set<string>();
  for (let type = Object.getPrototypeOf(object); type !== Object.prototype; type = Object.getPrototypeOf(type)) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(type))) {
      if (typeof value === 'function' && name !== 'constructor' && name !== 'close') names.add(name);
    }
  }
  return [...names];
}

// The addon's own functions trust nobody either: numbers of handles and statements that are wrong, old or no numbers.
async function fuzzAddon(): Promise<void> {
  const native = createRequire(import.meta.url)(path.resolve(import.meta.dirname, '../dist/dosql.node'));
  const names = Object.keys(native).filter((name) => name !== 'setUp' && name !== 'takeOutcome' && name !== 'takeMore');
  const numbers: number[] = [];
  const db = await DB('fuzzed', { busyTimeoutMs: 50 });
  const handles = [native.makeHandle()];
  native.open(handles[0], db.path, {});
  for (let round = 0; round < rounds; ++round) {
    const first = pick([value, () => pick(handles), () => pick(handles), () => (numbers.length > 0 ? pick(numbers) : 0)])();
    const name = pick(names);
    call(() => {
      const result = native[name](first, ...(random(2) === 0 ? [pick([pick(statements), 0, 1, 2]), ...values()] : values()));
      if (name === 'makeHandle') {
        handles.push(result);
        if (random(2) === 0) native.open(result, db.path, {});
      }
      if (name === 'makeFeed' && random(2) === 0) {
        native.openFeed(result, undefined, 'main', 0n, random(2) === 0, undefined, undefined);
      }
      if (name === 'prepare' || name === 'makeFeed' || random(20) === 0) numbers.push(result);
      if (handles.length > 20) handles.splice(1, 10).forEach((handle) => native.close(handle));
    });
    if (random(10) === 0) await new Promise((resolve) => setImmediate(resolve));
    if (random(200) === 0) call(() => native.prepare(handles[0], 'ROLLBACK'));
  }
  // Its number may have been guessed.
  await db.close().catch(() => {});
}

// Where JavaScript waits for a statement, it is not for ever.
setTimeout(() => process.exit(9), 500_000).unref();
await (target === 'addon' ? fuzzAddon() : fuzzPackage());
console.log(`${calls} calls, ${refused} refused`);
process.exit();
