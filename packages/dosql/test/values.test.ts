// What crosses between JavaScript and SQL, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fails, openDatabase } from './support.ts';

const db = await openDatabase();

async function stored(value: unknown): Promise<{ type: string; value: unknown }> {
  const row = await db.queryOne('SELECT typeof(?1) AS type, ?1 AS value', [value]);
  const sync = db.prepare('SELECT typeof(?1) AS type, ?1 AS value').get(value);
  assert.deepEqual(sync, row, 'a synchronous statement stores the same');
  return row as { type: string; value: unknown };
}

test('numbers are INTEGER where they are whole and safe, else REAL', async () => {
  assert.deepEqual(await stored(42), { type: 'integer', value: 42 });
  assert.deepEqual(await stored(-0), { type: 'integer', value: 0 });
  assert.deepEqual(await stored(1.5), { type: 'real', value: 1.5 });
  assert.deepEqual(await stored(2 ** 53 - 1), { type: 'integer', value: 2 ** 53 - 1 });
  assert.deepEqual(await stored(2 ** 53), { type: 'real', value: 2 ** 53 });
  assert.deepEqual(await stored(-1e300), { type: 'real', value: -1e300 });
  assert.deepEqual(await stored(Infinity), { type: 'real', value: Infinity });
  assert.deepEqual(await stored(NaN), { type: 'null', value: null });
});

test('integers beyond 2^53 are bigints, in and out', async () => {
  for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
    assert.deepEqual(await stored(value), { type: 'integer', value });
  }
  assert.deepEqual(await stored(7n), { type: 'integer', value: 7 });
  assert.deepEqual(await stored(2n ** 53n - 1n), { type: 'integer', value: Number.MAX_SAFE_INTEGER });
  await assert.rejects(db.query('SELECT ?', [2n ** 63n]), fails('DOSQL_INVALID_ARGUMENT', /^parameter 1 is a bigint/));
});

test('text keeps every character, and every length', async () => {
  for (const value of ['', 'plain', 'Þórður', '日本語', '🙂', 'a\0b', 'x'.repeat(507), 'é'.repeat(300), '🙂'.repeat(5000)]) {
    assert.deepEqual(await stored(value), { type: 'text', value });
  }
  for (let length = 500; length < 520; ++length) {
    const value = 'a'.repeat(length) + '🙂';
    assert.deepEqual(await stored(value), { type: 'text', value });
  }
  assert.equal((await stored('\ud800')).value, '\ufffd', 'what is no character becomes the replacement character');
});

test('text that is not UTF-8 arrives with replacement characters', async () => {
  assert.equal((await db.queryOne("SELECT CAST(x'41ff42' AS TEXT) AS t"))!['t'], 'A\ufffdB');
});

test('bytes of every kind are a BLOB', async () => {
  const bytes = new Uint8Array([0, 1, 255, 128]);
  const buffer = new ArrayBuffer(8);
  new Uint8Array(buffer).set([9, 8, 7, 6, 5, 4, 3, 2]);
  const cases: [unknown, number[]][] = [
    [bytes, [0, 1, 255, 128]],
    [Buffer.from(bytes), [0, 1, 255, 128]],
    [new Float32Array([1, -2]), [0, 0, 128, 63, 0, 0, 0, 192]],
    [new BigUint64Array([1n]), [1, 0, 0, 0, 0, 0, 0, 0]],
    [buffer, [9, 8, 7, 6, 5, 4, 3, 2]],
    [new DataView(buffer, 2, 3), [7, 6, 5]],
    [new Uint16Array(buffer, 2, 1), [7, 6]],
    [new Uint8Array(0), []],
  ];
  for (const [value, expected] of cases) {
    const found = await stored(value);
    assert.equal(found.type, 'blob');
    assert.ok(found.value instanceof Uint8Array && !(found.value instanceof Buffer));
    assert.deepEqual([...found.value], expected);
  }
});

test('a BLOB begins at the start of its own buffer, so that other views of it are aligned', async () => {
  const blob = (await db.queryOne('SELECT ? AS b', [new Float32Array([1.5, 2.5])]))!['b'] as Uint8Array;
  assert.equal(blob.byteOffset, 0);
  assert.deepEqual([...new Float32Array(blob.buffer)], [1.5, 2.5]);
});

test('a Date is the text of SQLite’s date functions, a boolean is 0 or 1', async () => {
  const date = new Date('2026-01-31T12:34:56.789Z');
  assert.deepEqual(await stored(date), { type: 'text', value: '2026-01-31 12:34:56.789' });
  assert.deepEqual(await db.query("SELECT strftime('%Y-%m-%d %H:%M:%f', ?1) = ?1 AS same", [date]), [{ same: 1 }]);
  assert.deepEqual(await stored(new Date(-1)), { type: 'text', value: '1969-12-31 23:59:59.999' });
  assert.deepEqual(await stored(true), { type: 'integer', value: 1 });
  assert.deepEqual(await stored(false), { type: 'integer', value: 0 });
  assert.deepEqual(await stored(null), { type: 'null', value: null });
});

test('what has no meaning in SQL is refused, with the parameter', async () => {
  const refused: [unknown, RegExp][] = [
    [undefined, /^parameter 2 is undefined/],
    [Symbol('s'), /^parameter 2 is a symbol/],
    [() => 1, /^parameter 2 is a function/],
    [[1], /^parameter 2 is an object/],
    [{ a: 1 }, /^parameter 2 is an object/],
    [new Date(NaN), /^parameter 2 is an invalid Date/],
    [new Date('+012345-01-01'), /^parameter 2 is a Date outside/],
  ];
  for (const [value, message] of refused) {
    await assert.rejects(db.query('SELECT ?, ?', [1, value]), fails('DOSQL_INVALID_ARGUMENT', message));
    assert.throws(() => db.prepare('SELECT ?, ?').get([1, value]), fails('DOSQL_INVALID_ARGUMENT', message));
  }
  await assert.rejects(
    db.query('SELECT :first, :second', { first: 1, second: undefined }),
    fails('DOSQL_INVALID_ARGUMENT', /^parameter :second is undefined/),
  );
});

test('parameters by name, with any prefix or none', async () => {
  const sql = 'SELECT :a AS a, @b AS b, $c AS c';
  const expected = [{ a: 1, b: 2, c: 3 }];
  assert.deepEqual(await db.query(sql, { a: 1, b: 2, c: 3, more: Symbol('unused') }), expected);
  assert.deepEqual(await db.query(sql, { ':a': 1, '@b': 2, $c: 3 }), expected);
  assert.deepEqual(await db.query(sql, [1, 2, 3]), expected);
  await assert.rejects(db.query(sql, { a: 1, b: 2 }), fails('DOSQL_INVALID_ARGUMENT', /^parameter \$c has no value/));
  await assert.rejects(db.query('SELECT ?', { a: 1 }), fails('DOSQL_INVALID_ARGUMENT', /^parameter 1 has no name/));
  await assert.rejects(db.query('SELECT :a', {}), fails('DOSQL_INVALID_ARGUMENT', /^parameter :a has no value/));
  assert.deepEqual(db.prepare('SELECT ? AS x, :y AS y').get(1, { y: 2 }), { x: 1, y: 2 });
});

test('one value that is no array is the first parameter, bytes and Dates included', async () => {
  assert.deepEqual([...(await db.queryOne('SELECT ? AS b', new Uint8Array([1, 2])))!['b']], [1, 2]);
  assert.deepEqual(await db.query('SELECT ? AS v', 'text'), [{ v: 'text' }]);
  assert.deepEqual(await db.query('SELECT ? AS v', new Date(0)), [{ v: '1970-01-01 00:00:00.000' }]);
});

test('the number of values must be that of the parameters', async () => {
  await assert.rejects(db.query('SELECT ?, ?', [1]), fails('DOSQL_INVALID_ARGUMENT', /2 parameters, 1 value/));
  await assert.rejects(db.query('SELECT ?', [1, 2]), fails('DOSQL_INVALID_ARGUMENT', /1 parameters, 2 values/));
  await assert.rejects(db.query('SELECT 1', new Array(40_000)), fails('DOSQL_INVALID_ARGUMENT', /at most 32766/));
  assert.deepEqual(await db.query('SELECT ?2 AS v', [1, 2]), [{ v: 2 }]);
});

test('a getter that throws is what the caller sees, and what it calls does no harm', async () => {
  const boom = new Error('boom');
  const hostile = {
    get a(): unknown {
      throw boom;
    },
  };
  await assert.rejects(db.query('SELECT :a', hostile), boom);
  const statement = db.prepare('SELECT :a AS a, :b AS b');
  const reenters = {
    get a() {
      return statement.get({ a: 1, b: 2 })!['b'];
    },
    b: 3,
  };
  assert.deepEqual(statement.get(reenters), { a: 2, b: 3 });
});

test('column names of every kind', async () => {
  const row = (await db.queryOne('SELECT 1 AS "__proto__", 2 AS "constructor", 3 AS "Þ", 4 AS "a b", 5 + 1'))!;
  assert.deepEqual(Object.entries(row), [['__proto__', 1], ['constructor', 2], ['Þ', 3], ['a b', 4], ['5 + 1', 6]]);
  assert.equal(Object.getPrototypeOf(row), Object.prototype);
  assert.deepEqual(await db.query('SELECT 1 AS a, 2 AS a'), [{ a: 2 }], 'the last one of a name counts');
});

test('large results arrive whole', async () => {
  const count = 30_000;
  const sql = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    SELECT i, 'text ' || i AS t, CASE WHEN i % 3 = 0 THEN NULL ELSE 9007199254740993 + i END AS big FROM n`;
  const check = (rows: any[]) => {
    assert.equal(rows.length, count);
    rows.forEach((row, index) => {
      const i = index + 1;
      assert.equal(row.i, i);
      assert.equal(row.t, `text ${i}`);
      assert.equal(row.big, i % 3 === 0 ? null : 9007199254740993n + BigInt(i));
    });
  };
  const [first, second] = await Promise.all([db.query(sql), db.query(sql)]);
  check(first);
  check(second);
  check(db.prepare(sql).all());
  check([...db.prepare(sql).iterate()]);
});

test('two thousand columns', async () => {
  const names = Array.from({ length: 2000 }, (_, index) => `c${index}`);
  const sql = `SELECT ${names.map((name, index) => `${index} AS ${name}`).join(', ')}
    FROM (SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5)`;
  for (const rows of [await db.query(sql), db.prepare(sql).all()]) {
    assert.equal(rows.length, 5);
    for (const row of rows) assert.deepEqual(Object.values(row), names.map((_, index) => index));
  }
});

test('thousands of names are found at once', async () => {
  const db = await openDatabase();
  const names = Array.from({ length: 8_000 }, (_, n) => `p${n}`);
  const rows = names.map((name, n) => `(${[':', '$', '@'][n % 3]}${name})`);
  const sql = `SELECT column1 FROM (VALUES ${rows.join(', ')})`;
  const values = Object.fromEntries(names.map((name, n) => [name, n]));
  const found = db.prepare(sql).pluck().all({ ...values, ':p3': 'not the first', other: undefined });
  assert.deepEqual(found, names.map((_, n) => n));
  assert.throws(() => db.prepare(sql).get({ ...values, p7: undefined }), fails('DOSQL_INVALID_ARGUMENT', /\$p7 is undefined/));
});
