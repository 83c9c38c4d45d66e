// Whatever is passed in, the process lives: arguments of every kind for every function of the package and of the
// addon below it. A failure prints the seed; DOSQL_SEED replays it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from './support.ts';

const seed = Number(process.env['DOSQL_SEED'] ?? (process.env['DOSQL_SOAK'] === '1' ? Date.now() % 1e9 : 1));
const rounds = Math.ceil(4_000 * Number(process.env['DOSQL_TEST_SCALE'] ?? 1) * (process.env['DOSQL_SOAK'] === '1' ? 50 : 1));

for (const target of ['package', 'addon']) {
  test(`the ${target} survives random arguments`, { timeout: 600_000 }, () => {
    const folder = temporaryFolder();
    const done = spawnSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', path.join(import.meta.dirname, 'fuzz_process.ts'), target, `${seed}`, `${rounds}`],
      { cwd: folder, encoding: 'utf8', env: { ...process.env, DOSQL_DATA: folder } },
    );
    assert.deepEqual([done.status, done.signal], [0, null], `DOSQL_SEED=${seed}\n${done.stderr}\n${done.stdout.slice(-2000)}`);
    const [calls, failed] = /(\d+) calls, (\d+) refused/.exec(done.stdout)!.slice(1).map(Number) as [number, number];
    assert.ok(calls >= rounds && failed > rounds / 10 && failed < calls, done.stdout);
  });
}
