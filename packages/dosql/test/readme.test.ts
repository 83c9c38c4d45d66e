// The program in the repository's README, as it is printed there.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { repository, temporaryFolder } from './support.ts';

test('the program of the README prints what stands below it', () => {
  const readme = readFileSync(path.join(repository, 'README.md'), 'utf8');
  const [, program, output] = /```ts\n(.*?)```\n\n```\n(.*?)```/s.exec(readme) ?? [];
  assert.ok(program !== undefined && program.trim().split('\n').length === 5);
  const done = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: path.join(import.meta.dirname, '..'),
    env: { ...process.env, DOSQL_DATA: temporaryFolder() },
    encoding: 'utf8',
  });
  assert.deepEqual([done.stdout, done.stderr], [output, '']);
});
