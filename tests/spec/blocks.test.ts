// Every block of code of the document that DoSQL is built to, word for word: SQL through the shell, TypeScript
// through the package. Prints one table of them all.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { type Block, blocksOf, readDocument } from './document.ts';
import type { Scenario, SqlScenario, TypeScriptRun, TypeScriptScenario } from './scenario.ts';

const repository = path.resolve(import.meta.dirname, '../..');
const packageFolder = path.join(repository, 'packages/dosql');
const document = readDocument();

if (document === undefined) {
  const why = 'the specification is not here: DOSQL_SPEC names its folder';
  test('the blocks of the document', { skip: why });
  showTable([`blocks of code: skipped, ${why}`]);
} else {
  await testBlocks(blocksOf(document.text));
}

async function testBlocks(blocks: Block[]): Promise<void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'dosql-spec-'));
  process.env['DOSQL_DATA'] = path.join(folder, 'data');
  mkdirSync(process.env['DOSQL_DATA']);
  const { scenarios } = await import('./scenarios.ts');
  const outcomes = new Map<number, string>();

  const compiled = compile(folder, blocks, scenarios);
  for (const block of blocks) {
    const scenario = scenarios[block.position]!;
    const name = `block ${block.position}: ${block.section}, ${block.title}`;
    if ('waitsFor' in scenario) {
      outcomes.set(block.position, `waits for ${scenario.waitsFor}`);
      test(name, { skip: `waits for ${scenario.waitsFor}` });
      continue;
    }
    outcomes.set(block.position, 'failed');
    await test(name, async () => {
      await ('sql' in scenario ? runSql(block, scenario) : runTypeScript(compiled, block, scenario));
      outcomes.set(block.position, 'passed');
    });
  }
  await test('the document has the blocks that are known', () => {
    assert.deepEqual(blocks.map(({ position }) => position), Object.keys(scenarios).map(Number));
  });
  after(() => {
    const lines = blocks.map(({ position, language, section, title }) => {
      const place = section === title ? section : `${section}: ${title}`;
      return `${String(position).padStart(2)}  ${language.padEnd(10)}  ${place.padEnd(70)}  ${outcomes.get(position)}`;
    });
    showTable(lines);
    rmSync(folder, { recursive: true, force: true });
  });
}

// scripts/test.sh prints what is left as a table, also of a test that passes.
function showTable(lines: string[]): void {
  const text = `${lines.join('\n')}\n`;
  console.log(text);
  writeFileSync(path.join(process.env['DOSQL_BINARY_DIR']!, 'results', 'spec_blocks.table'), text);
}

function fileOf(block: Block): string {
  return `block${block.position}`;
}

// All blocks of TypeScript that run, in one go; errors by block.
function compile(folder: string, blocks: Block[], scenarios: Record<number, Scenario>) {
  const modules = path.join(folder, 'node_modules', '@dotdo');
  mkdirSync(modules, { recursive: true });
  symlinkSync(packageFolder, path.join(modules, 'dosql'));
  symlinkSync(path.join(packageFolder, 'node_modules', '@types'), path.join(folder, 'node_modules', '@types'));
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }\n');
  const files: string[] = [];
  for (const block of blocks) {
    const scenario = scenarios[block.position]!;
    if ('waitsFor' in scenario || 'sql' in scenario) continue;
    files.push(`${fileOf(block)}.ts`);
    const text = `${scenario.before ?? ''}${block.code}${scenario.after ?? ''}\n`;
    writeFileSync(path.join(folder, `${fileOf(block)}.ts`), text);
  }
  const tsc = path.join(packageFolder, 'node_modules/typescript/lib/tsc.js');
  const options = ['--strict', 'false', '--module', 'nodenext', '--target', 'es2022', '--moduleDetection', 'force',
    '--types', 'node', '--rootDir', '.', '--outDir', 'out', '--preserveSymlinks'];
  const done = spawnSync(process.execPath, [tsc, ...options, ...files], { cwd: folder, encoding: 'utf8' });
  return { folder, messages: done.stdout };
}

async function runTypeScript(
  { folder, messages }: { folder: string; messages: string },
  block: Block,
  scenario: TypeScriptScenario,
): Promise<void> {
  const errors = messages.split('\n').filter((line) => line.startsWith(`${fileOf(block)}.ts(`));
  assert.deepEqual(errors, []);
  const module = pathToFileURL(path.join(folder, 'out', `${fileOf(block)}.js`)).href;
  for (const [index, run] of [scenario, ...(scenario.again ?? [])].entries()) await runOnce(`${module}?${index}`, run);
}

async function runOnce(module: string, { prepare, ends, check }: TypeScriptRun): Promise<void> {
  const given: any = (await prepare?.()) ?? {};
  const printed: unknown[][] = [];
  const log = (...values: unknown[]) => {
    printed.push(values);
    given.printing?.(...values);
  };
  (globalThis as any).scaffolding = { ...given, console: { log, error: log } };
  let exports = {};
  if (ends === undefined) {
    exports = await import(module);
  } else {
    await assert.rejects(import(module), ends);
  }
  await check({ printed, exports, given });
}

async function runSql(block: Block, scenario: SqlScenario): Promise<void> {
  const { directory, prints } = await scenario.sql();
  const shell = path.join(process.env['DOSQL_BINARY_DIR']!, 'dosql');
  const done = spawnSync(shell, ['-bail', directory], { input: block.code, encoding: 'utf8' });
  assert.deepEqual([done.status, done.stderr], [0, '']);
  const linesOf = (text: string) => text.split('\n').slice(0, -1);
  const printed = linesOf(done.stdout);
  // The shell prints statement after statement.
  for (const [statement, text] of prints.entries()) {
    const wanted = linesOf(text);
    assert.deepEqual(printed.splice(0, wanted.length).sort(), wanted.sort(), `statement ${statement + 1}`);
  }
  assert.deepEqual(printed, []);
}
