// The package as others get it: packed, installed in an empty folder, without a compiler.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from './support.ts';

const packageFolder = path.join(import.meta.dirname, '..');
const program = `
import { DB } from '@dotdo/dosql';
import { createTimeTravelSession, snapshot } from '@dotdo/dosql/timetravel';
import { createCOWBackend } from '@dotdo/dosql/fsx';
import type { ForeignKeySchema } from '@dotdo/dosql/rpc';

const key: ForeignKeySchema = { name: 'fk', columns: ['a'], referencedTable: 't', referencedColumns: ['id'] };
const db = await DB('app');
await db.exec('CREATE TABLE t (x)');
await db.run('INSERT INTO t VALUES (?)', [key.name]);
const session = await createTimeTravelSession(db, { asOf: snapshot('main@1') });
console.log(JSON.stringify([
  await db.query<{ x: string }>('SELECT x FROM t'), await session.query('SELECT x FROM t'),
  (await createCOWBackend(db).sizes()).commits,
]));
await session.close();
await db.close();
`;

test('npm pack, npm install, run, and type-check', { timeout: 120_000 }, () => {
  const folder = temporaryFolder();
  // Nothing of this machine's tools but npm and what it needs.
  const tools = path.join(folder, 'tools');
  mkdirSync(tools);
  const [npm, npmNode] = ['npm', 'node'].map((tool) =>
    execFileSync('sh', ['-c', `readlink -f "$(command -v ${tool})"`], { encoding: 'utf8' }).trim(),
  ) as [string, string];
  symlinkSync(npmNode, path.join(tools, 'node'));
  for (const tool of ['sh', 'env']) symlinkSync(`/bin/${tool}`, path.join(tools, tool));
  const env = { PATH: tools, HOME: folder, npm_config_cache: path.join(folder, 'cache'), npm_config_update_notifier: 'false' };
  const runNpm = (cwd: string, ...args: string[]) => {
    const done = spawnSync(npmNode, [npm, ...args], { cwd, env, encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
    return done.stdout;
  };

  const [packed] = JSON.parse(runNpm(folder, 'pack', packageFolder, '--json', '--ignore-scripts'));
  const files: string[] = packed.files.map((file: { path: string }) => file.path);
  assert.deepEqual(files.filter((file) => file.startsWith('LICENSE')).sort(), ['LICENSE', 'LICENSE.third-party']);
  assert.equal(readFileSync(path.join(packageFolder, 'LICENSE'), 'utf8'), readFileSync(path.join(packageFolder, '../../LICENSE'), 'utf8'));
  assert.ok(files.includes('dist/dosql.node') && files.includes('dist/index.d.ts') && files.includes('package.json'));
  assert.ok(files.every((file) => /^(dist\/|package\.json$|README|LICENSE)/.test(file)), files.join(' '));

  const app = path.join(folder, 'app');
  mkdirSync(app);
  writeFileSync(path.join(app, 'package.json'), '{ "type": "module" }\n');
  runNpm(app, 'install', '--offline', '--no-audit', '--no-fund', path.join(folder, packed.filename));
  writeFileSync(path.join(app, 'app.ts'), program);
  const ran = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', 'app.ts'], { cwd: app, env, encoding: 'utf8' });
  assert.deepEqual([ran.stdout.trim(), ran.stderr], ['[[{"x":"fk"}],[],2]', '']);

  // Types need neither node's nor any library beyond the language's.
  writeFileSync(path.join(app, 'types.d.ts'), 'declare const console: { log(text: string): void };\n');
  const tsc = path.join(packageFolder, 'node_modules/typescript/lib/tsc.js');
  for (const strict of ['true', 'false']) {
    const checked = spawnSync(process.execPath, [tsc, '--noEmit', '--strict', strict, '--module', 'nodenext', '--target', 'es2022',
      '--lib', 'es2022,dom', 'app.ts'], { cwd: app, encoding: 'utf8' });
    assert.equal(checked.stdout, '');
  }
});

test('what the package needs at run time is in it', () => {
  const manifest = JSON.parse(readFileSync(path.join(packageFolder, 'package.json'), 'utf8'));
  assert.deepEqual(manifest.dependencies ?? {}, {});
  assert.equal(manifest.scripts?.install ?? manifest.scripts?.postinstall, undefined);
});

test('the addon asks for no newer C library than the docs say', () => {
  const symbols = execFileSync('objdump', ['-T', path.join(packageFolder, 'dist/dosql.node')], { encoding: 'utf8', maxBuffer: 1e8 });
  const minors = [...symbols.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
  const said = /glibc 2\.(\d+) or newer/.exec(readFileSync(path.join(packageFolder, '../../docs/typescript.md'), 'utf8'))!;
  assert.ok(minors.length > 0 && Math.max(...minors) <= Number(said[1]), `GLIBC_2.${Math.max(...minors)}`);
});
