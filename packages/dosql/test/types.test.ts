// The types of the package, as TypeScript sees them.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import {
  DB,
  type Database,
  type ErrorCode,
  type Row,
  type RunResult,
  Statement,
  Transaction,
  type Value,
} from '@dotdo/dosql';
import { CDC } from '@dotdo/dosql/cdc';
import { COWBackend } from '@dotdo/dosql/fsx';
import { TimeTravelSession } from '@dotdo/dosql/timetravel';
import { repository } from './support.ts';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>) => {};

// Never called: that it compiles is the test.
export async function inferred(db: Database) {
  same<Awaited<ReturnType<typeof DB>>, Database>(true);
  const rows = await db.query('SELECT 1');
  same<typeof rows, Row[]>(true);
  const typed = await db.query<{ id: number }>('SELECT 1 AS id');
  same<typeof typed, { id: number }[]>(true);
  const one = await db.queryOne<{ id: number }>('SELECT 1 AS id');
  same<typeof one, { id: number } | undefined>(true);
  const ran = await db.run('DELETE FROM t', { id: 1 });
  same<typeof ran, RunResult>(true);
  const statement = db.prepare<{ id: number }>('SELECT 1 AS id');
  same<ReturnType<typeof statement.get>, { id: number } | undefined>(true);
  const given = await db.transaction(async (tx) => (await tx.query('SELECT 1')).length);
  same<typeof given, number>(true);
  interface Named {
    n: string;
  }
  const named: Named = { n: 'x' };
  await db.run('SELECT :n', named);
  const maybe = undefined as AbortSignal | undefined;
  await db.query('SELECT 1', [], { signal: maybe });
  await db.merge('b', { dryRun: undefined, message: undefined });
  const shared: SharedArrayBuffer = new SharedArrayBuffer(1);
  // @ts-expect-error: it is refused at run time
  const value: Value = shared;
  // @ts-expect-error: only prepare() makes them
  new Statement(1, '', () => {});
  // @ts-expect-error: only transaction() makes them
  new Transaction();
  // @ts-expect-error: only createCDC() makes them
  new CDC(db);
  // @ts-expect-error: only createTimeTravelSession() makes them
  new TimeTravelSession();
  // @ts-expect-error: only createCOWBackend() makes them
  new COWBackend(db);
  return value;
}

test('package and tests compile strictly', () => {
  const folder = import.meta.dirname;
  const tsc = path.join(folder, '../node_modules/typescript/lib/tsc.js');
  const checked = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' });
  assert.equal(checked.stdout, '');
});

test('the reference can be made, and names nothing that it lacks', () => {
  const folder = path.join(import.meta.dirname, '..');
  const typedoc = path.join(folder, 'node_modules/typedoc/bin/typedoc');
  const made = spawnSync(process.execPath, [typedoc, '--emit', 'none'], { cwd: folder, encoding: 'utf8' });
  assert.deepEqual([made.status, made.stderr], [0, '']);
});

test('the error codes are those of the engine', () => {
  const source = readFileSync(path.join(import.meta.dirname, '../src/errors.ts'), 'utf8');
  const ours = [...source.matchAll(/^  \| '(DOSQL_\w+)'/gm)].map((match) => match[1]);
  const engine = readFileSync(path.join(repository, 'src/base/error_code.cc'), 'utf8');
  const named = [...engine.matchAll(/case ErrorCode::\w+: return "(DOSQL_\w+)"/g)];
  assert.deepEqual(ours, named.map((match) => match[1]));
  const code: ErrorCode = 'DOSQL_BUSY';
  assert.ok(ours.includes(code));
});
